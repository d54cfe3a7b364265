"""Find all faults of a COCO-format data set: python tools/check_dataset.py ANN IMG_ROOT"""

from __future__ import annotations

import argparse
import json
import sys

import shufflenet_det  # noqa: F401  (backs mmcv's ops)
from shufflenet_det.atomic import replace_file
from shufflenet_det.bench.command_line import run_tool
from shufflenet_det.data import check


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('annotations', metavar='ANN', help='COCO annotation file')
    parser.add_argument('image_root', metavar='IMG_ROOT', help='folder of its images')
    parser.add_argument('--clean', metavar='OUT.json', help='write ANN without the offenders')
    args = parser.parse_args(argv)
    content = check.read_annotations(args.annotations)
    faults = check.check_annotations(content) + check.check_images(content, args.image_root)
    for fault in faults:
        print(fault)
    if args.clean:
        cleaned = check.clean(content, faults)
        replace_file(args.clean, json.dumps(cleaned))
        kept = {name: len(cleaned[name]) for name in check.SECTIONS}
        print(f'{args.clean}: {kept}')
    counts = ', '.join(f'{len(content[name])} {name}' for name in check.SECTIONS)
    if faults:
        sys.exit(f'{args.annotations}: {counts}, {len(faults)} faults\n{check.summary(faults)}')
    print(f'{args.annotations}: {counts}, no fault')


if __name__ == '__main__':
    run_tool(main)

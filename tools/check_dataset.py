"""Find all faults of a COCO-format data set: python tools/check_dataset.py ANN IMG_ROOT

Exits with 1 where there are faults, with 2 where ANN or IMG_ROOT cannot be read at all.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (backs mmcv's ops)
from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.data import check
from shufflenet_det.data.faults import SECTIONS, clean, summary


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('annotations', metavar='ANN', help='COCO annotation file')
    parser.add_argument('image_root', metavar='IMG_ROOT', help='folder of its images')
    parser.add_argument('--classes', nargs='+', default=[], help='names that training will use')
    parser.add_argument('--clean', metavar='OUT.json', help='write ANN without the offenders')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    content = check.read_annotations(args.annotations)
    if not Path(args.image_root).is_dir():
        raise FileNotFoundError(f'{args.image_root}: no such folder; give that of the images')
    faults = check.check_annotations(content) + check.check_classes(content, args.classes)
    faults += check.check_images(content, args.image_root)
    for fault in faults:
        print(fault)
    if args.clean:
        cleaned = clean(content, faults)
        replace_file(args.clean, json.dumps(cleaned))
        print(f'{args.clean}: { {name: len(cleaned[name]) for name in SECTIONS} }')
    counts = ', '.join(f'{len(content[name])} {name}' for name in SECTIONS)
    if faults:
        sys.exit(f'{args.annotations}: {counts}, {len(faults)} faults\n{summary(faults)}')
    print(f'{args.annotations}: {counts}, no fault')


if __name__ == '__main__':
    run_tool(main)

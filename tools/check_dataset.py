"""Find all faults of a COCO or Pascal VOC set: python tools/check_dataset.py ANN IMG_ROOT

Exits with 1 where there are faults, with 2 where ANN or IMG_ROOT cannot be read at all.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (backs mmcv's ops)
from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.data import check
from shufflenet_det.data.clean import clean
from shufflenet_det.data.faults import SECTIONS


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument(
        'annotations', metavar='ANN', help='COCO annotation file, or the list of ids of a VOC set'
    )
    parser.add_argument('image_root', metavar='IMG_ROOT', help='folder of its images')
    parser.add_argument('--classes', nargs='+', default=[], help='names that training will use')
    parser.add_argument(
        '--clean', metavar='OUT.json', help='repair what can be, and write the rest as a COCO file'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    if args.clean and Path(args.clean).resolve() == Path(args.annotations).resolve():
        raise ValueError(f'--clean {args.clean}: the original stays; give another name')
    found, root = check.read_set(args.annotations, args.image_root)
    counts = ', '.join(f'{len(found.entries[name])} {name}' for name in SECTIONS)
    more = check.check_classes(found, args.classes)
    more += check.check_images(found.entries['images'], root)
    found.faults += more
    faults = found.faults + ([found.nothing_left] if found.nothing_left else [])
    for fault in faults:
        print(fault)
    if args.clean:
        cleaned, done = clean(found, partial(check.size_of, root))
        replace_file(args.clean, json.dumps(cleaned))
        for what, number in done.items():
            print(f'{number:6d}  {what}')
        print(f'{args.clean}: { {name: len(cleaned[name]) for name in SECTIONS} }')
    told = found.told()
    if faults:
        sys.exit(f'{args.annotations}: {counts}, {len(faults)} faults\n{told}')
    print(f'{args.annotations}: {counts}, no fault' + (f'; read as\n{told}' if told else ''))


if __name__ == '__main__':
    run_tool(main)

"""Draw a blood smear to detect in: python tools/draw_smear.py OUT.png"""

from __future__ import annotations

import argparse

import cv2
from run_tool import run_tool

from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.data.smear import CLASSES, draw_smear
from shufflenet_det.deploy.fields import check_whole


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', metavar='OUT.png')
    parser.add_argument('--seed', type=int, default=0, help='another seed, another smear')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_whole('--seed', args.seed, 0, 2**64 - 1)
    smear = draw_smear(seed=args.seed)
    replace_file(args.out, cv2.imencode('.png', smear.pixels)[1].tobytes())
    counts = [f'{(smear.labels == i).sum()} {name}' for i, name in enumerate(CLASSES)]
    print(f'{args.out}: {", ".join(counts)}')


if __name__ == '__main__':
    run_tool(main)

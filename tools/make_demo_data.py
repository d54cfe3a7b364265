"""Writes the generated detection set that the demo configs train on."""

import argparse

from run_tool import run_tool

from shufflenet_det.data import generate, generate_voc

FORMATS = dict(coco=generate, voc=generate_voc)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--root', default='data/demo', help='folder (default: %(default)s)')
    parser.add_argument('--format', default='coco', choices=FORMATS, help='(default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='(default: %(default)s)')
    parser.add_argument('--num-train', type=int, default=300, help='(default: %(default)s)')
    parser.add_argument('--num-val', type=int, default=100, help='(default: %(default)s)')
    args = parser.parse_args()
    FORMATS[args.format](args.root, args.seed, args.num_train, args.num_val)
    print(
        f'{args.root}: {args.num_train} training and {args.num_val} validation images, '
        f'seed {args.seed}, {args.format} format'
    )


if __name__ == '__main__':
    run_tool(main)

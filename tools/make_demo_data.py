"""Writes the generated detection set that the demo configs train on."""

import argparse

from shufflenet_det.data import generate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--root', default='data/demo', help='folder (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='(default: %(default)s)')
    parser.add_argument('--num-train', type=int, default=300, help='(default: %(default)s)')
    parser.add_argument('--num-val', type=int, default=100, help='(default: %(default)s)')
    demo = generate(**vars(parser.parse_args()))
    print(
        f'{demo.root}: {demo.num_train} training and {demo.num_val} validation images, '
        f'seed {demo.seed}'
    )


if __name__ == '__main__':
    main()

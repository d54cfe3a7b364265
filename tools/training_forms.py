"""Forms of a training step on photographs: python tools/training_forms.py DATA/photos"""

import argparse
import os
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench import command_line
from shufflenet_det.bench.training_forms import compare
from shufflenet_det.data.photos import PHOTO_SETS

CONFIG = Path('configs/photos/lighthead_fpn_1.0x_320.py')


def main() -> None:
    parser = argparse.ArgumentParser(description='Forms of a training step, in turns')
    parser.add_argument('data', type=Path, help='folder of the sets of photographs')
    parser.add_argument('--set', default='aquarium', choices=PHOTO_SETS, help='which of them')
    parser.add_argument('--config', type=Path, default=CONFIG, help=f'default: {CONFIG}')
    parser.add_argument('--warm-up', type=int, default=8, help='steps that do not count')
    command_line.add_machine_arguments(parser, turns=40)
    args = parser.parse_args()
    if not (args.data / args.set).is_dir():
        raise ValueError(f'{args.data / args.set} is no folder; give the one that has the sets')
    command_line.prepare_machine(args)
    os.environ |= dict(PHOTOS_ROOT=str(args.data), PHOTOS_SET=args.set)
    rows, again = compare(str(args.config), {}, args.turns, args.warm_up, args.seconds)
    command_line.finish(args, 'training forms', None, config=args.config.stem, data=args.set,
                        rows=rows, again=again)  # fmt: skip


if __name__ == '__main__':
    run_tool(main)

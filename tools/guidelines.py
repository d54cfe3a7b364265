"""Redo the paper's tables 1 to 4 on this machine: python tools/guidelines.py --threads 2"""

import argparse

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (backs mmcv's ops)
from shufflenet_det.bench import command_line
from shufflenet_det.bench.paper import blocks
from shufflenet_det.bench.paper.guidelines import GUIDELINES, check_guidelines, run_guideline

SHORT = dict(turns=3, seconds=5.0, widths=1)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='The guidelines of ShuffleNet V2 as experiments')
    parser.add_argument('keys', nargs='*', metavar='KEY', help=f'{list(GUIDELINES)} (default: all)')
    parser.add_argument('--size', type=int, default=blocks.SIDE, help='side of the input, px')
    parser.add_argument(
        '--widths-of', choices=['gpu', 'arm'], help="the paper's channels (default: by device)"
    )
    parser.add_argument('--short', action='store_true', help='smallest width, few turns')
    command_line.add_machine_arguments(parser, turns=20)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_guidelines(args.keys, args.size)
    command_line.prepare_machine(args)
    short = SHORT if args.short else {}
    settings = dict(turns=args.turns, seconds=args.seconds) | short
    scale = args.widths_of or ('gpu' if args.device.startswith('cuda') else 'arm')
    tables = []
    for key in args.keys or GUIDELINES:
        print(f'{key} ...', flush=True)
        tables.append(
            run_guideline(
                key, scale, device=args.device, dtype=args.dtype,
                batch=args.batch, side=args.size, **settings,
            )
        )  # fmt: skip
    command_line.finish(args, 'guidelines', (args.size, args.size), tables=tables)


if __name__ == '__main__':
    run_tool(main)

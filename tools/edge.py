"""Our detectors for the edge against their peers: python tools/edge.py --out FILE"""

import argparse

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench import command_line
from shufflenet_det.bench.edge.compare import compare
from shufflenet_det.bench.edge.peers import SIZES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--sides', type=int, nargs='+', default=list(SIZES), choices=SIZES,
                        help='input sizes, px (default: all)')  # fmt: skip
    command_line.add_machine_arguments(parser, turns=20)
    args = parser.parse_args()
    command_line.prepare_machine(args)
    rows, again = compare(args.sides, args.turns, args.seconds)
    command_line.finish(args, 'edge', None, rows=rows, again=again)


if __name__ == '__main__':
    run_tool(main)

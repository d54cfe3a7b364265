"""Our operators against torchvision's: python tools/operators.py --threads 2"""

import argparse

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench import command_line
from shufflenet_det.bench.operators import run_operators


def main() -> None:
    parser = argparse.ArgumentParser(description="PSRoIAlign and NMS against torchvision's")
    command_line.add_machine_arguments(parser, turns=20)
    args = parser.parse_args()
    command_line.prepare_machine(args)
    rows = run_operators(args.device, args.turns, args.seconds)
    command_line.finish(args, 'operators', None, rows=rows)


if __name__ == '__main__':
    run_tool(main)

"""Measure backbones or whole detectors: python tools/latency.py --arch snv2_1.0x --threads 2"""

import argparse

import torch
from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench import command_line
from shufflenet_det.bench.detector_forms import DETECTOR_FORMS
from shufflenet_det.bench.detector_latency import prepare_detector, run_detectors
from shufflenet_det.bench.forms import FORMS
from shufflenet_det.bench.latency import Conditions, pick, run_latency


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Latency of backbones or of whole detectors')
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument('--arch', nargs='+', help='names, "snv2_*", table8 or all')
    what.add_argument('--config', nargs='+', help='CONFIG or CONFIG=CHECKPOINT of MMDetection')
    parser.add_argument(
        '--option', nargs='+', default=[], help='configs/options for every --config'
    )
    parser.add_argument(
        '--forms', nargs='+', default=['eager'],
        help=f'backbones: {list(FORMS)}; detectors: {list(DETECTOR_FORMS)}',
    )  # fmt: skip
    parser.add_argument(
        '--size', type=int, nargs=2, metavar=('H', 'W'),
        help="input; default: 800 1216 for detectors, the paper's 224 224 for backbones",
    )  # fmt: skip
    parser.add_argument(
        '--classifier', action='store_true', help='up to what the classifier reads, as in Table 8'
    )
    parser.add_argument(
        '--against', choices=['torchvision'], help='add its model with the same weights'
    )
    command_line.add_machine_arguments(parser, turns=20)
    return parser.parse_args()


def measure_backbones(args: argparse.Namespace) -> None:
    size = tuple(args.size) if args.size else None
    conditions = Conditions(
        size, args.batch, args.device, args.dtype, args.classifier, args.turns, args.seconds
    )
    rows, again = run_latency(pick(args.arch), args.forms, conditions, args.against is not None)
    command_line.finish(args, 'latency', size, classifies=args.classifier, again=again, rows=rows)


def measure_detectors(args: argparse.Namespace) -> None:
    size = tuple(args.size or (800, 1216))
    x = torch.randn(args.batch, 3, *size).to(args.device, getattr(torch, args.dtype))
    runs = [
        run
        for target in args.config
        for run in prepare_detector(target, args.forms, x, args.option)
    ]
    rows, again = run_detectors(runs, args.turns, args.seconds)
    command_line.finish(args, 'detector latency', size, again=again, rows=rows)


def main() -> None:
    args = parse_args()
    command_line.prepare_machine(args)
    (measure_backbones if args.arch else measure_detectors)(args)


if __name__ == '__main__':
    run_tool(main)

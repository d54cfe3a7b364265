"""Measure models against each other: python tools/latency.py A.onnx snv2_1.0x CONFIG.py"""

import argparse
from dataclasses import replace

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench import command_line
from shufflenet_det.bench.detector_latency import prepare_detector, run_detectors
from shufflenet_det.bench.latency import Conditions, pick, run_latency
from shufflenet_det.bench.latency_arguments import add_model_arguments, check_arguments
from shufflenet_det.bench.model_latency import ModelOptions, run_models
from shufflenet_det.bench.pictures import Pictures


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Latency of networks and detectors')
    add_model_arguments(parser)
    command_line.add_machine_arguments(parser, turns=20)
    return parser.parse_args()


def measure_models(args: argparse.Namespace, conditions: Conditions) -> None:
    options = ModelOptions(args.forms, dict(args.input), args.cold, args.scenario, args.rate)
    rows, again = run_models(args.models, conditions, options)
    command_line.finish(args, 'model latency', conditions.size, again=again, rows=rows)


def measure_backbones(args: argparse.Namespace, conditions: Conditions) -> None:
    rows, again = run_latency(pick(args.arch), args.forms, conditions, args.against is not None)
    command_line.finish(
        args, 'latency', conditions.size, classifies=args.classifier, again=again, rows=rows
    )


def measure_detectors(args: argparse.Namespace, conditions: Conditions) -> None:
    pictures = Pictures.of_folder(args.images, args.with_resize) if args.images else None
    size = conditions.size or (800, 1216)
    x = replace(conditions, size=size).input_for()
    runs = [
        run
        for target in args.config
        for run in prepare_detector(target, args.forms, x, args.option, pictures)
    ]
    rows, again = run_detectors(runs, args.turns, args.seconds)
    found = pictures and dict(count=len(pictures.images), resized=pictures.resized)
    command_line.finish(args, 'detector latency', size, again=again, rows=rows, pictures=found)


def main() -> None:
    args = parse_args()
    check_arguments(args)
    command_line.prepare_machine(args)
    if args.processes > 1:
        return command_line.repeat_in_processes(args)
    size = tuple(args.size) if args.size else None
    conditions = Conditions(
        size, args.batch, args.device, args.dtype, args.classifier, args.turns, args.seconds
    )
    kind = measure_models if args.models else measure_backbones if args.arch else measure_detectors
    kind(args, conditions)


if __name__ == '__main__':
    run_tool(main)

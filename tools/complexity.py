"""Parameters, macs and memory access cost: complexity.py CONFIG_OR_ARCH --shape 800 1216."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from run_tool import run_tool

from shufflenet_det.bench.complexity import CLASSES, cost_table, network_complexity, rows_of
from shufflenet_det.bench.detector_complexity import detector_on_meta, model_complexity
from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.bench.tables import markdown
from shufflenet_det.checkpoints.atomic import new_file


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('model', metavar='CONFIG_OR_ARCH', help='a config of a detector or a '
                        'backbone, or e.g. snv2_1.0x')  # fmt: skip
    parser.add_argument('--shape', nargs=2, type=int, metavar=('H', 'W'),
                        help='image as the network sees it (default: 800 1216 for a config, '
                        '224 224 for an arch)')  # fmt: skip
    parser.add_argument('--per', choices=['part', 'stage', 'layer'], default='stage')
    parser.add_argument('--rois', type=int, help="RoIs of an image (default: the config's)")
    parser.add_argument('--out', type=new_file, metavar='FILE', help='write the numbers')
    return parser.parse_args(argv)


def count(args: argparse.Namespace) -> tuple[list, str]:
    """Complexities of the parts, and what there is to say about them."""
    if args.model.endswith('.py'):
        args.shape = args.shape or [800, 1216]
        counted = model_complexity(detector_on_meta(args.model), args.shape, args.rois)
        note = f'{counted.per_roi:,} macs per RoI, {counted.rois} RoIs' if counted.rois else ''
        return list(counted.parts), note
    if args.rois is not None:
        raise ValueError(f'--rois {args.rois}: the backbone {args.model} has no RoIs')
    args.shape = args.shape or [224, 224]
    counted, classifier = network_complexity(args.model, args.shape)
    whole = counted.total.macs + classifier.macs
    return [counted], f'{whole:,} macs with the classifier of {CLASSES} classes'


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        parts, note = count(args)
    except (KeyError, TypeError, RuntimeError, SyntaxError) as error:
        raise ValueError(f'{args.model}: {error}') from error
    rows = rows_of(parts, args.per)
    print(markdown(cost_table(args.model, args.shape, rows)))
    if note:
        print(note)
    if args.out:
        env = environment('cpu', batch=1, size=args.shape)
        content = [dict(part=part, name=name, **asdict(cost)) for part, name, cost in rows]
        write_result(args.out, 'complexity', env, model=args.model, rows=content, note=note)


if __name__ == '__main__':
    run_tool(main)

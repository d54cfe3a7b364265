"""Where the time of backbones goes (figure 2): python tools/decomposition.py --arch table8"""

import argparse

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the backbones and backs mmcv's ops)
from shufflenet_det.backbones.peers import NETWORKS
from shufflenet_det.bench import command_line
from shufflenet_det.bench.forms import FORMS, forms_for, prepare
from shufflenet_det.bench.latency import Conditions, build, pick
from shufflenet_det.bench.paper.decomposition import decompose


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runtime decomposition by torch's profiler")
    parser.add_argument('--arch', nargs='+', default=['table8'], help='as in tools/latency.py')
    parser.add_argument('--form', nargs='+', default=['eager'], choices=FORMS,
                        help='with several, a row of each')  # fmt: skip
    parser.add_argument('--size', type=int, nargs=2, default=(224, 224), metavar=('H', 'W'))
    command_line.add_machine_arguments(parser, turns=5)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    command_line.prepare_machine(args)
    conditions = Conditions(tuple(args.size), args.batch, args.device, args.dtype)
    rows, networks = [], pick(args.arch)
    pairs = [(n, f) for n in networks for f in forms_for(n, NETWORKS[n].backbone, args.form)]
    for name, form in pairs:
        label = f'{name}, {form}' if len(args.form) > 1 else name
        print(f'{label} ...', flush=True)
        x = conditions.input_for(name)
        run = prepare(name, form, build(name).to(x), x)
        rows.append(decompose(label, run, args.device, args.turns))
    unknown = sorted({op for row in rows for op in row.unknown})
    command_line.finish(
        args, 'decomposition', conditions.size, forms=args.form, rows=rows, unknown=unknown
    )
    if unknown:
        print(f'operators that stand in no class, counted as other: {unknown}')


if __name__ == '__main__':
    run_tool(main)

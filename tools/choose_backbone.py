"""Which network for so many ms: python tools/choose_backbone.py --budget-ms 30 --size 320 320"""

import argparse

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench import command_line
from shufflenet_det.bench.budget.candidates import candidates
from shufflenet_det.bench.budget.choose import CLOCKS, Plan, choose
from shufflenet_det.bench.budget.heads import HEADS
from shufflenet_det.bench.budget.parts import BUDGET_FORMS
from shufflenet_det.bench.budget.result import arch_row, config_text, content
from shufflenet_det.bench.latency import Conditions
from shufflenet_det.checkpoints.atomic import new_file, replace_file

SECONDS = 150
"""For all parts, and again for the finalists: with the building, at most 10 minutes on 2 cores."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Choose the network that a budget allows')
    add = parser.add_argument
    add('--budget-ms', type=float, required=True, help='time of one call')
    add('--size', type=int, nargs=2, action='append', required=True, metavar=('H', 'W'),
        help='input; again for others to choose from')  # fmt: skip
    add('--form', default='onnxruntime', help=f'as it will run: {list(BUDGET_FORMS)}')
    add('--head', help=f'budget of a whole detector with this head: {list(HEADS)}')
    add('--clock', choices=list(CLOCKS), default='wall', help='what the budget is counted in; cpu '
        'is for a machine with other work, with one thread')  # fmt: skip
    add('--config-out', type=new_file, help='write the config of the chosen network')
    command_line.add_machine_arguments(parser, turns=20)
    parser.set_defaults(seconds=SECONDS)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    command_line.prepare_machine(args)
    if args.dtype != 'float32':
        raise ValueError(f'--dtype {args.dtype} is not allowed here; give float32')
    sizes = [Conditions(tuple(size)).size for size in args.size]
    plan = Plan(
        args.budget_ms, args.form, args.clock, args.batch, args.device, args.turns, args.seconds,
        args.head,
    )  # fmt: skip
    choice = choose(list(candidates(sizes)), plan)
    command_line.finish(
        args, 'backbone choice', sizes[0] if len(sizes) == 1 else None, **content(choice, plan)
    )
    chosen = choice.chosen
    took = CLOCKS[plan.clock](chosen.timing)
    print(
        f'\nchosen: {chosen.candidate.name}, {chosen.macs / 1e6:.0f} M macs, measured {took:.3g} '
        f'ms, {100 * (took / plan.budget_ms - 1):+.1f} % of the budget\n'
        f'arch: {arch_row(chosen.candidate.arch)}'
    )
    if args.config_out:
        args.config_out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(args.config_out, config_text(chosen.candidate, args.head))
        print(f'config: {args.config_out}')


if __name__ == '__main__':
    run_tool(main)

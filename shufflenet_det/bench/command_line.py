"""What the measuring tools share on the command line."""

from __future__ import annotations

import argparse
import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.logging import MMLogger

from shufflenet_det.checkpoints.atomic import new_file

from .environment import environment, write_result
from .machine import activity, machine_state
from .processes import run_processes
from .tables import conditions, markdown
from .threads import WAITS, set_threads
from .views import tables_of

RESULTS = Path('data/results')
"""Where results are kept, from the root of the project."""


def add_machine_arguments(parser: argparse.ArgumentParser, turns: int) -> None:
    """Device, threads, dtype, batch, length of the measurement, and output."""
    parser.add_argument('--device', default='cpu', help='cpu, cuda, cuda:1 (default: cpu)')
    parser.add_argument('--threads', type=int, default=1, help="CPU threads (default: 1, as the "
                        "paper's ARM chip computes)")  # fmt: skip
    parser.add_argument('--wait', choices=list(WAITS), default='active', help='how threads wait '
                        'for work: spin for milliseconds (default), or sleep')  # fmt: skip
    parser.add_argument('--dtype', default='float32', choices=['float32', 'float16', 'bfloat16'])
    parser.add_argument('--batch', type=int, default=1, help='images per call')
    parser.add_argument('--turns', type=int, default=turns, help='measurements of each row')
    parser.add_argument('--seconds', type=float, help='stop measuring after so long')
    parser.add_argument('--plot', type=new_file, help='draw charts, .png or .svg')
    parser.add_argument('--out', type=new_file, help=f'result file, e.g. {RESULTS}/NAME.json')


def prepare_machine(args: argparse.Namespace) -> None:
    """Set threads, check the device, silence the libraries, note the state of the machine.

    A tool that was started with other variables of OpenMP starts itself again here.

    Raises:
        ValueError: If the device is not there, or a number is not allowed.
    """
    for name in ('threads', 'batch', 'turns', 'processes'):
        value = getattr(args, name, None)
        if value is not None and value < 1:
            raise ValueError(f'--{name} {value} is not allowed; give at least 1')
    if args.seconds is not None and not args.seconds > 0:
        raise ValueError(f'--seconds {args.seconds:g} is not allowed; give more than 0')
    if args.plot:
        check_suffix(args.plot)
    set_threads(args.threads, args.wait)
    _check_device(args.device)
    torch.manual_seed(0)
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # of torch's profiler
    warnings.filterwarnings('ignore')
    MMLogger.get_current_instance().setLevel(logging.ERROR)
    args.start = machine_state()


def check_suffix(path: Path) -> None:
    """Raise ValueError where a chart cannot be written to this path."""
    if path.suffix not in ('.png', '.svg'):
        raise ValueError(f'--plot {path}: suffix {path.suffix!r} is not allowed; .png or .svg')


def _check_device(name: str) -> None:
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        cause = str(error).strip().splitlines()[0]
        seen = [f'cuda:{i}' for i in range(torch.cuda.device_count())]
        raise ValueError(
            f'--device {name} is not there ({cause}); this machine has {", ".join(["cpu", *seen])}'
        ) from error


def finish(args: argparse.Namespace, kind: str, size: tuple[int, int] | None, **content) -> None:
    """Print the tables of a result as Markdown; keep it and draw it where a file was named."""
    env = environment(args.device, args.dtype, args.batch, size)
    env['machine'] = activity(args.start, machine_state(), env['cpus'])
    show(args, write_result(args.out, kind, env, **content))


def repeat_in_processes(args: argparse.Namespace) -> None:
    """The tool in fresh processes, --processes of them, and the result of all."""
    result = run_processes(args.processes, args.plot is not None)
    kind, env = result.pop('kind'), result.pop('environment')
    show(args, write_result(args.out, kind, env, **result))


def show(args: argparse.Namespace, result: Mapping) -> None:
    """Print the tables of a result, and draw it where a file was named."""
    print(f'\n{conditions(result["environment"])}')
    for table in tables_of(result):
        print(f'\n{table.caption}\n\n{markdown(table)}')
    if args.out:
        print(f'\nkept in {args.out}; tools/report.py shows it')
    if args.plot:
        from . import plots  # matplotlib, for those who draw

        for path in plots.save(plots.figures_of(result), args.plot):
            print(f'chart in {path}')

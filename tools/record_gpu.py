"""Measure all results of a GPU in one call: python tools/record_gpu.py [NAME ...]"""

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench.command_line import RESULTS, prepare_machine, show
from shufflenet_det.bench.gpu.record import GPU_RESULTS, record


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure all results of a GPU')
    parser.add_argument('names', nargs='*', metavar='NAME', default=list(GPU_RESULTS),
                        help=f'of {list(GPU_RESULTS)} (default: all)')  # fmt: skip
    parser.add_argument('--device', default='cuda', help='cuda, cuda:1 (default: cuda)')
    parser.add_argument('--turns', type=int, default=20, help='measurements of each row')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads (default: 1)')
    parser.add_argument('--results', type=Path, default=RESULTS, help='folder of the JSON files')
    parser.add_argument('--lost', nargs='*', default=[], help=argparse.SUPPRESS)
    args = parser.parse_args()
    for name in args.names:
        if name not in GPU_RESULTS:
            raise ValueError(f'{name} is not recorded here; allowed: {list(GPU_RESULTS)}')
    return args


def go_on(args: argparse.Namespace, rest: list[str], lost: list[str]) -> None:
    """In a fresh process: an error of a kernel leaves this one without its device."""
    options = ['--device', args.device, '--turns', str(args.turns), '--results', str(args.results)]
    command = [sys.argv[0], *rest, *options, '--threads', str(args.threads), '--lost', *lost]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *command])


def main() -> None:
    args = parse_args()
    args.wait, args.plot, args.out = 'active', None, None
    prepare_machine(args)
    lost = list(args.lost)
    for place, name in enumerate(args.names, 1):
        start, rows = time.perf_counter(), {}
        try:
            result, rows = record(name, args.device, args.turns, args.results)
            show(args, result)
        except Exception:  # of any kind: the others shall be measured
            traceback.print_exc()
            lost.append(name)
        lost += [f'{name}: {row}: {error}' for row, error in rows.items()]
        print(f'\n{name}: {time.perf_counter() - start:.0f} s', flush=True)
        if (rows or name in lost) and args.names[place:]:
            go_on(args, args.names[place:], lost)
    if lost:
        raise ValueError('lost: ' + '; '.join(lost))


if __name__ == '__main__':
    run_tool(main)

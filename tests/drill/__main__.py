"""Run the fault drill: python -m drill [--short] [--out FILE]"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch
from mmdet.utils import register_all_modules
from terminal import as_in_a_terminal

from shufflenet_det.bench.environment import environment, write_result

from . import (
    annotation_rows,
    checkpoint_rows,
    fuzz_rows,
    image_rows,
    kill_rows,
    model_rows,
    process_rows,
    rank_rows,
    stop_rows,
    stranger_rows,
    writing_rows,
)
from .case import CASES, Case, Lab
from .tiny import tiny_config

MODULES = (
    image_rows, annotation_rows, model_rows, checkpoint_rows, kill_rows, process_rows,
    rank_rows, stop_rows, stranger_rows, fuzz_rows, writing_rows,
)  # fmt: skip


TRAINS_HERE = 26
"""Row that trains in the drill's own process, whose forks may not train from there on."""


@dataclass(frozen=True)
class Outcome:
    row: int
    name: str
    handled: bool
    message: str
    seconds: float
    inputs: dict[str, int]


def attempt(case: Case, lab: Lab) -> Outcome:
    """Run a case; any exception means that the fault is not handled."""
    start = time.monotonic()
    lab.folder.mkdir(parents=True)
    try:
        message, handled = case.run(lab), True
    except Exception as error:
        message, handled = f'{type(error).__name__}: {error}', False
        traceback.print_exc()
    message = ' '.join(message.replace(str(lab.folder), '.').split())
    seconds = round(time.monotonic() - start, 2)
    return Outcome(case.row, case.name, handled, message, seconds, dict(lab.inputs))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--short', action='store_true', help='fewer inputs, under 5 minutes')
    parser.add_argument('--out', help='write the outcomes to this JSON file')
    parser.add_argument('--rows', type=int, nargs='+', help='only these rows')
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    as_in_a_terminal()
    register_all_modules()
    chosen = [
        c for c in CASES
        if (not args.rows or c.row in args.rows) and not (c.long and args.short)
    ]  # fmt: skip
    outcomes = []
    with tempfile.TemporaryDirectory(prefix='fault_drill_') as name:
        root = Path(name)
        tiny_config(root / 'data', root / 'none')  # generates the data set
        for number, case in enumerate(sorted(chosen, key=lambda c: (c.row == TRAINS_HERE, c.row))):
            lab = Lab(root / str(number), root / 'data', args.short)
            outcome = attempt(case, lab)
            outcomes.append(outcome)
            mark = 'handled    ' if outcome.handled else 'NOT HANDLED'
            print(f'row {case.row:2d} {mark} {case.name}: {outcome.message[:300]}', flush=True)
    handled = sum(outcome.handled for outcome in outcomes)
    if args.out:
        length = 'short' if args.short else 'long'
        write_result(
            args.out, 'fault drill', environment(), length=length, tried=len(outcomes),
            handled=handled, fuzzed=sum(sum(o.inputs.values()) for o in outcomes),
            outcomes=outcomes,
        )  # fmt: skip
    print(f'{len(outcomes)} tried, {handled} handled')
    sys.exit(handled != len(outcomes))


if __name__ == '__main__':
    main()

"""Run the fault drill: python -m drill [--short] [--out FILE]"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
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
from .attempts import attempts
from .case import CASES, Lab
from .tiny import describe_once, tiny_config

MODULES = (
    image_rows, annotation_rows, model_rows, checkpoint_rows, kill_rows, process_rows,
    rank_rows, stop_rows, stranger_rows, fuzz_rows, writing_rows,
)  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--short', action='store_true', help='fewer inputs, two at a time, under 4 minutes'
    )
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
        describe_once()
        tiny_config(root / 'data', root / 'none')  # generates the data set
        gc.freeze()  # forks neither look through nor copy what is there
        pairs = [(c, Lab(root / str(n), root / 'data', args.short)) for n, c in enumerate(chosen)]
        for outcome in attempts(pairs, at_once=2 if args.short else 1):
            outcomes.append(outcome)
            mark = 'handled    ' if outcome.handled else 'NOT HANDLED'
            text = f'row {outcome.row:2d} {mark} {outcome.name}: {outcome.message[:300]}'
            print(text, flush=True)
    outcomes.sort(key=lambda outcome: outcome.row)
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

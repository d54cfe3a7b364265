"""Try MMDetection's zoo: python -m shufflenet_det.bench.zoo --out data/results/zoo.json"""

import argparse
import logging
import sys
import warnings
from datetime import date
from pathlib import Path

import torch
from mmdet.utils import register_all_modules
from mmengine.logging import MMLogger

from shufflenet_det.bench.tables import markdown
from shufflenet_det.checkpoints.atomic import new_file

from .run import SECONDS, config_folder, rows_of, run_all, sample_of
from .swaps import config_files, swap_all
from .view import swap_tables, tables


def main() -> None:
    """Try the folders that are asked for, and write the result."""
    parser = argparse.ArgumentParser(prog='shufflenet_det.bench.zoo', description=__doc__)
    parser.add_argument('folders', nargs='*', help='of MMDetection (default: all)')
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument('--sample', action='store_true', help='ten folders, others on each day')
    mode.add_argument('--swaps', action='store_true', help='swap every distinct model, train none, '
                      'and list what a swap changes without a word')  # fmt: skip
    parser.add_argument('--seconds', type=int, default=SECONDS,
                        help=f'of CPU time that a config gets (default: {SECONDS})')  # fmt: skip
    parser.add_argument('--out', type=new_file, help='result; what it holds is not tried again')
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings('ignore')
    MMLogger.get_current_instance().setLevel(logging.CRITICAL)
    register_all_modules()
    root = config_folder()
    try:
        result = _result(args, root)
    except ValueError as error:
        print(f'zoo: error: {error}', file=sys.stderr)
        raise SystemExit(2) from error
    for table in swap_tables(result) if args.swaps else tables(result):
        print(f'\n{table.caption}\n\n{markdown(table)}')


def _result(args: argparse.Namespace, root: Path) -> dict:
    if args.swaps:
        return swap_all(config_files(root, args.folders), root, args.out)
    rows = rows_of(root, args.folders)
    return run_all(sample_of(rows, date.today()) if args.sample else rows, root, args.out,
                   args.seconds)  # fmt: skip


if __name__ == '__main__':
    main()

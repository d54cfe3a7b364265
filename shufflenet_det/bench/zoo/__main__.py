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

from .run import SECONDS, config_folder, rows_of, run_all, sample_of
from .view import tables


def main() -> None:
    """Try the folders that are asked for, and write the result."""
    parser = argparse.ArgumentParser(prog='shufflenet_det.bench.zoo', description=__doc__)
    parser.add_argument('folders', nargs='*', help='of MMDetection (default: all)')
    parser.add_argument('--sample', action='store_true', help='ten folders, others on each day')
    parser.add_argument('--seconds', type=int, default=SECONDS,
                        help=f'of CPU time that a config gets (default: {SECONDS})')  # fmt: skip
    parser.add_argument('--out', type=Path, help='result file; what it holds is not tried again')
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings('ignore')
    MMLogger.get_current_instance().setLevel(logging.CRITICAL)
    register_all_modules()
    root = config_folder()
    try:
        rows = rows_of(root, args.folders)
    except ValueError as error:
        print(f'zoo: error: {error}', file=sys.stderr)
        raise SystemExit(2) from error
    result = run_all(sample_of(rows, date.today()) if args.sample else rows, root, args.out,
                     args.seconds)  # fmt: skip
    for table in tables(result):
        print(f'\n{table.caption}\n\n{markdown(table)}')


if __name__ == '__main__':
    main()

"""Train the detectors of configs/swap a little on real images: swaps.py DATA --out FILE"""

import argparse
import logging
import warnings
from pathlib import Path

from run_tool import run_tool
from mmdet.utils import register_all_modules
from mmengine.logging import MMLogger
from torch import set_num_threads

from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.bench.proofs.swaps import ANNOTATIONS, BATCH, IMAGES, SIZE, pick, table, try_out
from shufflenet_det.bench.tables import markdown
from shufflenet_det.checkpoints.atomic import new_file


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path, help=f'folder with {ANNOTATIONS} and {IMAGES}')
    parser.add_argument('--config', nargs='+', metavar='NAME', help='of configs/swap; default: all')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads (default: 1)')
    parser.add_argument('--out', type=new_file, help='result file, e.g. data/results/swaps.json')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    paths = pick(args.config)
    if args.threads < 1:
        raise ValueError(f'--threads {args.threads} is not allowed; give at least 1')
    if not (args.data / ANNOTATIONS).is_file():
        raise ValueError(f'{args.data} has no {ANNOTATIONS}; give the folder that has it')
    set_num_threads(args.threads)
    warnings.filterwarnings('ignore')
    MMLogger.get_current_instance().setLevel(logging.ERROR)
    register_all_modules()
    env = environment(batch=BATCH, size=SIZE)
    rows = []
    for path in paths:
        rows.append(try_out(path, args.data))
        print(f'{path.stem}: {len(rows[-1].losses)} iterations, {rows[-1].boxes} boxes')
    result = write_result(args.out, 'swaps', env, rows=rows)
    print('', markdown(table(result)), sep='\n')


if __name__ == '__main__':
    run_tool(main)

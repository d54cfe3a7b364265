"""Accuracy on photographs: photos.py comparison DATA --work DIR --out FILE, again to go on"""

import argparse
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (backs mmcv's ops)
from shufflenet_det.bench.photos.plan import PLANS
from shufflenet_det.bench.photos.runner import Places, run_all
from shufflenet_det.bench.tables import markdown
from shufflenet_det.bench.views import tables_of
from shufflenet_det.checkpoints.atomic import new_file


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('plan', choices=sorted(PLANS), help='rows to train')
    parser.add_argument('data', type=Path, help='folder of the sets of photographs')
    parser.add_argument('--work', type=Path, required=True, help='folder of the trainings')
    parser.add_argument('--out', type=new_file, required=True, help='result file')
    parser.add_argument('--jobs', type=int, default=2, help='trainings at a time (default: 2)')
    parser.add_argument('--only', help='rows whose name has this text')
    parser.add_argument('--list', action='store_true', help='print the names of the rows only')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.jobs < 1:
        raise ValueError(f'--jobs {args.jobs} is not allowed; give at least 1')
    if not args.data.is_dir():
        raise ValueError(f'{args.data} is no folder; give the one that has the sets of photographs')
    plan = PLANS[args.plan]
    runs = [run for run in plan.rows() if (args.only or '') in run.name]
    if args.list or not runs:
        print('\n'.join(run.name for run in runs) or f'no row has {args.only!r} in its name')
        return
    places = Places(args.data, args.work, args.out, Path(__file__).with_name('train.py'))
    for table in tables_of(run_all(runs, plan, places, args.jobs)):
        print('', table.caption, markdown(table), sep='\n')


if __name__ == '__main__':
    run_tool(main)

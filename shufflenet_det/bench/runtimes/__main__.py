"""Every runtime beside PyTorch on photographs; called again, it goes on.

python -m shufflenet_det.bench.runtimes PHOTOS TRAININGS --files DIR --out FILE
"""

import argparse
import sys
from pathlib import Path

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench.tables import markdown
from shufflenet_det.checkpoints.atomic import new_file
from shufflenet_det.deploy.model_info import PRECISIONS

from .plan import CASES
from .run import Places, compare, result, time_all
from .view import tables


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog='shufflenet_det.bench.runtimes', description=__doc__.split('\n')[0]
    )
    parser.add_argument('photos', type=Path, help='folder of the sets of photographs')
    parser.add_argument('trainings', type=Path, help='--work of tools/photos.py comparison')
    parser.add_argument('--files', type=Path, required=True, help='folder for exported files')
    parser.add_argument('--out', type=new_file, required=True, help='result file')
    parser.add_argument('--only', default='', help='rows whose name has this text')
    parser.add_argument('--precision', nargs='+', choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument('--times', action='store_true', help='time the rows that are there, anew')
    parser.add_argument(
        '--seconds', type=float, help='of the turns of a detector with a number of threads, about'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Make what is missing, or time what is there."""
    args = parse_args(argv)
    if not args.photos.is_dir():
        print(f'runtimes: error: {args.photos} is no folder', file=sys.stderr)
        raise SystemExit(2)
    places = Places(args.photos, args.trainings, args.files, args.out)
    if args.times:
        time_all(CASES, places, args.only, args.precision, args.seconds)
    else:
        compare(CASES, places, args.only, args.precision)
    for table in tables(result(args.out)):
        print(f'\n{table.caption}\n\n{markdown(table)}')


if __name__ == '__main__':
    main()

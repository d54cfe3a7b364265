"""Check the conversion of every layout at every width: tools/converters.py --data DIR --out FILE"""

import argparse
import logging
from pathlib import Path

from run_tool import run_tool
from mmengine.logging import MMLogger

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.bench.proofs.converters import examine, random_cases, real_cases, tables
from shufflenet_det.bench.tables import markdown
from shufflenet_det.checkpoints.atomic import new_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, help='folder of published files, for real weights')
    parser.add_argument('--out', type=new_file, help='result, e.g. data/results/converters.json')
    args = parser.parse_args()
    if args.data and not args.data.is_dir():
        raise ValueError(f'--data {args.data} is not a folder; give the folder of the files')
    MMLogger.get_current_instance().setLevel(logging.ERROR)
    cases = [*random_cases(), *(real_cases(args.data) if args.data else ())]
    rows = [examine(case) for case in cases]
    result = write_result(args.out, 'converters', environment(size=(64, 64)), rows=rows)
    print(markdown(*tables(result)))


if __name__ == '__main__':
    run_tool(main)

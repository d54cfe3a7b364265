"""AP of NanoDet's published weights: python tools/nanodet_coco.py --data DIR --out FILE"""

import argparse
import tempfile
from pathlib import Path

from run_tool import run_tool

from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.bench.proofs.nanodet_coco import CASES, examine, tables
from shufflenet_det.bench.tables import markdown
from shufflenet_det.checkpoints.atomic import new_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder of the test data')
    parser.add_argument('--out', type=new_file, help='result, e.g. data/results/nanodet.json')
    args = parser.parse_args()
    if not (args.data / 'nanodet').is_dir():
        raise ValueError(f'--data {args.data} has no folder nanodet; give that of the test data')
    with tempfile.TemporaryDirectory() as folder:
        rows = [examine(case, args.data, folder) for case in CASES]
    result = write_result(args.out, 'nanodet', environment(batch=1), rows=rows)
    print(markdown(*tables(result)))


if __name__ == '__main__':
    run_tool(main)

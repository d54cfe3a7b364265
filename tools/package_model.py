"""Export the detector that the package holds, and measure it; see shufflenet_det/checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.bench.proofs.packaged import examine, export, tables
from shufflenet_det.bench.tables import markdown
from shufflenet_det.checkpoints.atomic import new_file
from shufflenet_det.checkpoints.published import packaged_file

NAME = 'blood-cells'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='as its training left it')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--data', type=Path, required=True, help='folder bccd of the photographs')
    parser.add_argument('--out', type=new_file, help='result, e.g. data/results/blood_cells.json')
    args = parser.parse_args()
    if not (args.data / 'annotations').is_dir():
        raise ValueError(f'--data {args.data} has no folder annotations; give that of bccd')
    file, made = packaged_file(NAME), environment(batch=1)  # before the tree has another file
    export(args.config, args.checkpoint, file)
    found = examine(args.config, args.checkpoint, file, args.data)
    result = write_result(args.out, 'packaged', made, **found)
    print('\n\n'.join(markdown(table) for table in tables(result)))
    print(f"\nset sha256 and ap of {NAME} in checkpoints/published.py: '{result['sha256']}'")


if __name__ == '__main__':
    run_tool(main)

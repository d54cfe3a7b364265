"""Writes model-index.yml and metafile.yml of the configs out of tables and results."""

import argparse
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench.model_index import index_files
from shufflenet_det.checkpoints.atomic import replace_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--root', type=Path, default=Path(), help='the project (default: here)')
    args = parser.parse_args()
    for path, text in index_files(args.root).items():
        replace_file(args.root / path, text)
        print(args.root / path)


if __name__ == '__main__':
    run_tool(main)

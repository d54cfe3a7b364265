"""Table 7 of the ShuffleNet V2 paper: table7.py configs/lighthead_snv2.py. Resumable."""

from __future__ import annotations

import argparse
import subprocess
from functools import partial
from itertools import product
from pathlib import Path

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.backbones.peers import COMPLEXITIES, TABLE7
from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.bench.paper import table7
from shufflenet_det.bench.tables import markdown
from shufflenet_det.checkpoints.atomic import new_file
from shufflenet_det.training.key_values import KeyValues


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a Light-Head config with a ShuffleNetV2 backbone')
    parser.add_argument('--families', nargs='+', choices=list(TABLE7), default=list(TABLE7))
    parser.add_argument('--complexities', nargs='+', choices=COMPLEXITIES, default=COMPLEXITIES)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument(
        '--weights', metavar='DIR', help='fine-tune from DIR/NETWORK.pth, as printed'
    )
    start.add_argument('--from-scratch', action='store_true', help='start from random weights')
    parser.add_argument('--gpus', type=int, default=0, help='GPUs of a training, above 1 with DDP')
    parser.add_argument('--device', default='cpu', help='where the speed is measured')
    parser.add_argument('--speed-shape', nargs=2, type=int, default=[800, 1200])
    parser.add_argument('--speed-batch', type=int, default=4)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/table7'))
    parser.add_argument('--out', type=new_file, default='data/results/table7.json')
    parser.add_argument('--cfg-options', nargs='+', action=KeyValues)
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    config_of = partial(
        table7.cell_config, args.config, options=args.cfg_options, weights=args.weights
    )
    grid = product(args.complexities, args.families, args.seeds)
    cells = [table7.Cell(family, complexity, seed) for complexity, family, seed in grid]
    configs = [config_of(cell) for cell in cells]  # a missing file stops here, not after days
    train = partial(table7.train, gpus=args.gpus)
    found = []
    for cell, cfg in zip(cells, configs, strict=True):
        found.append(dict(vars(cell), mmAP=table7.run_cell(cell, cfg, args.work_dir, train)))
    speeds = []
    for complexity in args.complexities:
        group = {family: config_of(table7.Cell(family, complexity, 0)) for family in args.families}
        measured = table7.detector_speeds(group, args.speed_shape, args.speed_batch, args.device)
        speeds += [dict(family=family, complexity=complexity, images_per_s=speed)
                   for family, speed in measured.items()]  # fmt: skip
    env = environment(args.device, batch=args.speed_batch, size=args.speed_shape)
    content = dict(config=args.config, weights=args.weights, cells=found, speeds=speeds)
    write_result(args.out, 'table7', env, **content)
    print(markdown(table7.table(content)))


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        run(args)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f'a training failed with exit code {error.returncode}') from None


if __name__ == '__main__':
    run_tool(main)

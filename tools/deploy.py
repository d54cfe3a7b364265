"""Write the deploy form of a detector: python tools/deploy.py CONFIG CHECKPOINT"""

from __future__ import annotations

import argparse

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.checkpoints.atomic import check_folder
from shufflenet_det.deploy.checkpoint import write_deploy
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.training.launch import load_config
from shufflenet_det.training.own_photos import Run


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out-dir', default='deploy', help='gets deploy.py and deploy.pth')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    check_folder(args.out_dir)
    model = MMDetPredictor(args.config, args.checkpoint, 'cpu').model
    config, checkpoint = write_deploy(
        model, load_config(args.config, run=Run.after(args.checkpoint)), args.out_dir
    )
    print(f'config and checkpoint: {config} {checkpoint}')


if __name__ == '__main__':
    run_tool(main)

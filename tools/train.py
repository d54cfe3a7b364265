"""Train a detector: python tools/train.py configs/lighthead_snv2.py"""

import argparse

from run_tool import run_tool
from mmengine.config import Config

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.training import launch
from shufflenet_det.training.distributed import init_distributed, launched_rank, leave_distributed
from shufflenet_det.training.lock import hold
from shufflenet_det.training.own_photos import Run
from shufflenet_det.training.verified_loading import build_runner


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a detector')
    parser.add_argument('config', help='config file')
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision')
    parser.add_argument(
        '--resume', nargs='?', const='auto', help='go on from the newest checkpoint, or from FILE'
    )
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale lr to the batch size')
    launch.add_launch_arguments(parser)
    return parser.parse_args()


def prepare() -> Config:
    args = parse_args()
    run = Run(args.work_dir, trains=True, resumes=args.resume is not None)
    cfg = launch.load_config(args.config, args.cfg_options, args.option, run)
    launch.check_paths(cfg, ('train', 'val'))
    work_dir = launch.work_dir_for(cfg, args.config, args.work_dir)
    launch.prepare_training(cfg, work_dir, args.amp, args.resume, args.auto_scale_lr)
    if args.launcher == 'none' or launched_rank() == 0:
        hold(work_dir)
    init_distributed(cfg, args.launcher, args.local_rank)
    return cfg


def main() -> None:
    build_runner(run_tool(prepare)).train()
    leave_distributed()


if __name__ == '__main__':
    main()

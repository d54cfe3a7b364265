"""Evaluate a detector: python tools/test.py configs/lighthead_snv2.py CHECKPOINT"""

import argparse
from pathlib import Path

from run_tool import run_tool
from mmdet.evaluation import DumpDetResults
from mmengine.config import Config

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.checkpoints.atomic import new_file
from shufflenet_det.training import launch
from shufflenet_det.training.distributed import init_distributed, leave_distributed
from shufflenet_det.training.own_photos import Run
from shufflenet_det.training.verified_loading import build_runner


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate a detector')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=new_file, help='write the predictions to this .pkl file')
    parser.add_argument('--show-dir', help='draw predictions beside the ground truth into DIR')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    parser.add_argument('--classwise', action='store_true', help='AP of each class')
    launch.add_launch_arguments(parser)
    args = parser.parse_args()
    if args.out and args.out.suffix not in ('.pkl', '.pickle'):
        parser.error(f'--out {args.out} must end in .pkl or .pickle')
    return args


def prepare() -> tuple[Config, Path | None]:
    args = parse_args()
    run = Run.after(args.checkpoint)
    cfg = launch.load_config(args.config, args.cfg_options, args.option, run)
    launch.check_paths(cfg, ('test',))
    work_dir = launch.work_dir_for(cfg, args.config, args.work_dir)
    tta = args.tta or 'tta' in args.option
    launch.prepare_test(cfg, work_dir, args.checkpoint, args.show_dir, tta, args.classwise)
    init_distributed(cfg, args.launcher, args.local_rank)
    return cfg, args.out


def main() -> None:
    cfg, out = run_tool(prepare)
    runner = build_runner(cfg)
    if out:
        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=str(out)))
    runner.test()
    leave_distributed()


if __name__ == '__main__':
    main()

"""Show what a detector gets wrong: analyze.py CONFIG DETECTIONS.json|CHECKPOINT --out DIR"""

import argparse

from run_tool import run_tool

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench.errors.analysis import analyze, summary
from shufflenet_det.deploy.stream import SURE
from shufflenet_det.training import launch
from shufflenet_det.training.own_photos import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file; its test data are the ground truth')
    parser.add_argument('predictions', help='detections in COCO format (.json), or a checkpoint')
    parser.add_argument('--out', default='analysis', help='folder (default: %(default)s)')
    parser.add_argument('--score-thr', type=float, default=SURE, help='(default: %(default)s)')
    parser.add_argument('--top', type=int, default=12, help='errors drawn of each cause')
    parser.add_argument('--data-root', help='where the test data are, if not as the config says')
    args = parser.parse_args()
    options = dict(data_root=args.data_root) if args.data_root else {}
    run = Run.after(args.predictions)
    cfg = launch.load_config(args.config, options, run=run)
    launch.check_paths(cfg, ('test',))
    result = analyze(cfg, args.config, args.predictions, args.out, args.score_thr, args.top)
    print('\n'.join(summary(result)))
    print(f'charts, pictures of errors and analysis.json are in {args.out}')


if __name__ == '__main__':
    run_tool(main)

"""Put our backbone into any MMDetection config: swap_backbone.py CONFIG --arch 1.0x --out FILE"""

import argparse

from run_tool import run_tool
from mmdet.utils import register_all_modules
from mmengine.config import Config

from shufflenet_det.archs import ARCHS
from shufflenet_det.checkpoints.atomic import new_file, replace_file
from shufflenet_det.detectors.swap import backbone_config, read_config, swap_backbone, swapped_text
from shufflenet_det.detectors.trial import build_untrained, predict_once, train_one_step


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path, or mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    parser.add_argument('--arch', default='1.0x', choices=ARCHS, help='default: 1.0x')
    parser.add_argument('--se', action='store_true', help='squeeze-and-excitation')
    parser.add_argument('--residual', action='store_true', help='residual units')
    parser.add_argument('--large-receptive-field', action='store_true', help='v2*')
    parser.add_argument(
        '--pretrained', default='auto',
        help="checkpoint; none; auto (default) for torchvision's weights, where it has the arch "
        'and the old backbone has weights',
    )  # fmt: skip
    parser.add_argument('--try', dest='tried', action='store_true', help='train one step and '
                        'predict with random weights on small made-up pictures first')  # fmt: skip
    parser.add_argument('--out', type=new_file, help='write the config here, print what is changed')
    return parser.parse_args()


def try_out(cfg: Config) -> None:
    """Build, train one step and predict.

    Raises:
        ValueError: If one of them fails.
    """
    step = 'build'
    try:
        model = build_untrained(cfg)
        step = 'train'
        train_one_step(model, cfg)
        step = 'predict'
        predict_once(model, cfg)
    except Exception as error:
        raise ValueError(
            f'the swapped config does not {step} ({type(error).__name__}: {error}); nothing is '
            'written: see whether the config does so before the swap'
        ) from error


def main() -> None:
    args = parse_args()
    register_all_modules()
    backbone = backbone_config(
        args.arch, None if args.pretrained == 'none' else args.pretrained,
        args.se, args.residual, args.large_receptive_field,
    )  # fmt: skip
    cfg, changes = swap_backbone(
        read_config(args.config), backbone, keep_scratch=args.pretrained == 'auto'
    )
    if args.tried:
        try_out(cfg)
    text = swapped_text(cfg, changes, args.config)
    if args.out is None:
        print(text)
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(args.out, text)
    print(*changes, f'kept in {args.out}', sep='\n')


if __name__ == '__main__':
    run_tool(main)

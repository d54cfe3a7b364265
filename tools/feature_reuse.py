"""Figure 4 b of the ShuffleNet V2 paper, by formula and by following every channel."""

from __future__ import annotations

import argparse

import numpy as np
from run_tool import run_tool
from mmdet.registry import MODELS

import shufflenet_det  # noqa: F401  (registers the modules)
from shufflenet_det.backbones.peers import get_network
from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.bench.paper.feature_reuse import (
    draw_reuse,
    expected_reuse,
    followed_reuse,
)
from shufflenet_det.checkpoints.atomic import new_file


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--arch', default='snv2_1.0x', help='(default: %(default)s)')
    parser.add_argument('--stage', type=int, default=3, help='2 to 4 (default: %(default)s)')
    parser.add_argument('--plot', type=new_file, default='feature_reuse.png',
                        help='(default: %(default)s)')  # fmt: skip
    parser.add_argument('--out', type=new_file, metavar='FILE', help='write the numbers')
    args = parser.parse_args(argv)
    backbone = MODELS.build(get_network(args.arch).config())
    if not hasattr(backbone, f'stage{args.stage}') or not args.arch.startswith('snv2'):
        raise ValueError(
            f'{args.arch} has no stage{args.stage} of ShuffleNet V2 units; give --arch snv2_... '
            'and --stage 2, 3 or 4'
        )
    stage = getattr(backbone, f'stage{args.stage}')
    followed = followed_reuse(stage)
    expected = expected_reuse(int(followed[0, 0]), len(stage))
    draw_reuse({'$r^j c$': expected, f'{args.arch}, stage {args.stage}, followed': followed},
               args.plot)  # fmt: skip
    difference = float(np.abs(expected - followed).max())
    print(f'{args.plot}: formula and followed channels differ by at most {difference:.3g} channels')
    if args.out:
        write_result(
            args.out, 'feature_reuse', environment(), arch=args.arch, stage=args.stage,
            expected=expected.tolist(), followed=followed.tolist(), difference=difference,
        )  # fmt: skip


if __name__ == '__main__':
    run_tool(main)

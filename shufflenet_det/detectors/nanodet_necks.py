"""The necks of NanoDet: a path aggregation network without parameters, and Ghost-PAN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmdet.registry import MODELS
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from shufflenet_det.checkpoints.download import resolve
from shufflenet_det.checkpoints.files import read_checkpoint
from shufflenet_det.checkpoints.loading import PretrainedMixin
from shufflenet_det.checkpoints.nanodet import part_of

LEAKY = dict(type='LeakyReLU', negative_slope=0.1)
"""NanoDet's activation, in the backbone too."""


def resized(x: Tensor, like: Tensor) -> Tensor:
    """x (N, C, H, W) in the height and width of ``like``, bilinear."""
    return F.interpolate(x, size=like.shape[2:], mode='bilinear')


@MODELS.register_module()
class NanoDetPAN(BaseModule):
    """Path aggregation by resizing and adding alone.

    Source: RangiLyu/nanodet v0.x, PAN. Maps levels (N, C_i, H_i, W_i), each half as large as the
    one before, to as many (N, out_channels, H_i, W_i). Only the lateral 1x1 convs have weights.

    Args:
        in_channels: Of each level, finest first.
        out_channels: Of every output.
        init_cfg: As in every MMDetection module.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: int = 96, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg or dict(type='Xavier', layer='Conv2d', distribution='uniform'))
        self.in_channels, self.out_channels = list(in_channels), out_channels
        self.lateral_convs = nn.ModuleList(
            ConvModule(channels, out_channels, 1, act_cfg=None) for channels in in_channels
        )

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        outs = [conv(x) for conv, x in zip(self.lateral_convs, levels, strict=True)]
        for i in reversed(range(len(outs) - 1)):
            outs[i] = outs[i] + resized(outs[i + 1], outs[i])
        for i in range(1, len(outs)):
            outs[i] = outs[i] + resized(outs[i - 1], outs[i])
        return tuple(outs)


class GhostModule(nn.Module):
    """Half of the channels by a 1x1 conv, the other half from them by a 3x3 depthwise conv.

    Source: arXiv 1911.11907, section 3.1. Maps (N, in_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, **layers) -> None:
        super().__init__()
        half = out_channels // 2
        self.primary_conv = ConvModule(in_channels, half, 1, **layers)
        self.cheap_operation = ConvModule(half, half, 3, padding=1, groups=half, **layers)

    def forward(self, x: Tensor) -> Tensor:
        x = self.primary_conv(x)
        return torch.cat((x, self.cheap_operation(x)), 1)


class GhostBottleneck(nn.Module):
    """Two ghost modules and a depthwise separable shortcut, nothing after their sum.

    Source: arXiv 1911.11907, figure 3, stride 1, as NanoDet-Plus has it.
    Maps (N, in_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, norm_cfg: dict, act_cfg: dict
    ) -> None:
        super().__init__()
        self.ghost1 = GhostModule(in_channels, out_channels, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.ghost2 = GhostModule(out_channels, out_channels, norm_cfg=norm_cfg, act_cfg=None)
        self.shortcut = DepthwiseSeparableConvModule(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, norm_cfg=norm_cfg,
            act_cfg=None,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.ghost2(self.ghost1(x)) + self.shortcut(x)


@MODELS.register_module()
class GhostPAN(PretrainedMixin, BaseModule):
    """Path aggregation network of ghost bottlenecks.

    Source: RangiLyu/nanodet v1.0, GhostPAN. Maps levels (N, C_i, H_i, W_i), each half as large as
    the one before, to num_outs levels of out_channels; those beyond the inputs halve the size
    further.

    Args:
        in_channels: Of each level, finest first.
        out_channels: Of every output.
        num_outs: Levels given out.
        kernel_size: Of the depthwise convs in shortcuts and downsampling, odd.
        norm_cfg, act_cfg: As in every MMDetection module.
        init_cfg: As there; ``dict(type='Pretrained', checkpoint=FILE, prefix='neck.')`` reads files
            of NanoDet's own project too.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 96,
        num_outs: int = 4,
        kernel_size: int = 5,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels, self.out_channels = list(in_channels), out_channels
        layers = dict(norm_cfg=norm_cfg or dict(type='BN'), act_cfg=act_cfg or LEAKY)
        steps, extra = range(len(in_channels) - 1), range(num_outs - len(in_channels))

        def block() -> GhostBottleneck:
            return GhostBottleneck(2 * out_channels, out_channels, kernel_size, **layers)

        def halving() -> DepthwiseSeparableConvModule:
            return DepthwiseSeparableConvModule(
                out_channels, out_channels, kernel_size, 2, kernel_size // 2, **layers
            )

        self.lateral_convs = nn.ModuleList(
            ConvModule(channels, out_channels, 1, **layers) for channels in in_channels
        )
        self.top_down_blocks = nn.ModuleList(block() for _ in steps)
        self.downsamples = nn.ModuleList(halving() for _ in steps)
        self.bottom_up_blocks = nn.ModuleList(block() for _ in steps)
        self.extra_lvl_in_conv = nn.ModuleList(halving() for _ in extra)
        self.extra_lvl_out_conv = nn.ModuleList(halving() for _ in extra)

    def load_file(self, cfg: Mapping) -> None:
        """Load the part of a file that the ``Pretrained`` entry's prefix names."""
        self.load_state_dict(part_of(read_checkpoint(resolve(cfg['checkpoint'])), cfg['prefix']))
        print_log(f'neck loaded from {cfg["checkpoint"]}', logger='current')

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        inner = [conv(x) for conv, x in zip(self.lateral_convs, levels, strict=True)]
        coarsest = inner[-1]
        for i, block in zip(reversed(range(len(inner) - 1)), self.top_down_blocks, strict=True):
            inner[i] = block(torch.cat((resized(inner[i + 1], inner[i]), inner[i]), 1))
        outs = inner[:1]
        for x, halve, block in zip(inner[1:], self.downsamples, self.bottom_up_blocks, strict=True):
            outs.append(block(torch.cat((halve(outs[-1]), x), 1)))
        for from_input, from_output in zip(
            self.extra_lvl_in_conv, self.extra_lvl_out_conv, strict=True
        ):
            outs.append(from_input(coarsest) + from_output(outs[-1]))
        return tuple(outs)

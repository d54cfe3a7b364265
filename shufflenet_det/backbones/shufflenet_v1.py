"""ShuffleNet V1 (arXiv 1707.01083) as an MMDetection backbone."""

from __future__ import annotations

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import channel_shuffle
from torch.utils.checkpoint import checkpoint

from .base import LayerFactory, LevelBackbone
from .peer_archs import StageArch, shufflenet_v1_arch


class GroupedUnit(nn.Module):
    """A unit of figure 2 (b) and (c): grouped 1x1, shuffle, 3x3 depthwise, grouped 1x1.

    At stride 1 the input is added. A unit that starts a level concatenates the input after a
    3x3 average pool. The first unit of a stage behind the stem at stride 1 (V1-50) changes the
    width at an equal size, where the paper names no shortcut, and has none.
    Maps (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)).

    Args:
        groups: (groups of the first 1x1 conv and of the shuffle, groups of the last one).
        depthwise_convs: 3x3 depthwise convs; the first one strides.
        pooled: Concatenate the average-pooled input.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bottleneck: int,
        groups: tuple[int, int],
        layers: LayerFactory,
        stride: int = 1,
        dilation: int = 1,
        depthwise_convs: int = 1,
        pooled: bool = False,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        middle = out_channels // bottleneck
        branch_out = out_channels - in_channels if pooled else out_channels
        first_groups, self.shuffle_groups = groups
        self.with_cp = with_cp
        self.added = not pooled and in_channels == out_channels
        self.pool = nn.AvgPool2d(3, stride, padding=1) if pooled else None
        self.reduce = nn.Sequential(
            *layers.conv_norm(in_channels, middle, 1, groups=first_groups), layers.act()
        )
        self.expand = nn.Sequential(
            *layers.depthwise(middle, stride, dilation),
            *(
                layer
                for _ in range(depthwise_convs - 1)
                for layer in layers.depthwise(middle, 1, dilation)
            ),
            *layers.conv_norm(middle, branch_out, 1, groups=self.shuffle_groups),
        )
        self.act = layers.act()

    def _forward(self, x: Tensor) -> Tensor:
        y = self.reduce(x)
        if self.shuffle_groups > 1:
            y = channel_shuffle(y, self.shuffle_groups)
        y = self.expand(y)
        if self.pool is not None:
            y = torch.cat((self.pool(x), y), dim=1)
        return self.act(y + x if self.added else y)

    def forward(self, x: Tensor) -> Tensor:
        if self.with_cp and x.requires_grad:
            return checkpoint(self._forward, x, use_reentrant=False)
        return self._forward(x)


class BottleneckBackbone(LevelBackbone):
    """The net of a :class:`shufflenet_det.backbones.peer_archs.StageArch`."""

    arch: StageArch

    def make_stem(self) -> None:
        conv = self._layers.conv_norm(3, self.arch.stem, 3, stride=2)
        self.conv1 = nn.Sequential(*conv, self._layers.act())
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)

    def make_level(self, level: int, stride: int, dilation: int) -> nn.Sequential | None:
        index = level - self.arch.first_level
        if index < 0:
            return None
        in_channels = self.arch.level_channels[level - 1] if index else self.arch.stem
        channels, num_units = self.arch.stages[index]
        groups = self.arch.groups
        common = dict(
            bottleneck=self.arch.bottleneck, depthwise_convs=self.arch.depthwise_convs,
            layers=self._layers, dilation=dilation, with_cp=self.with_cp,
        )  # fmt: skip
        # Section 3.3: no groups on the first pointwise conv, whose input channels are few.
        first = GroupedUnit(
            in_channels, channels, groups=(groups if index else 1, groups), stride=stride,
            pooled=level > 0, **common,
        )  # fmt: skip
        rest = [
            GroupedUnit(channels, channels, groups=(groups, groups), **common)
            for _ in range(num_units - 1)
        ]
        return nn.Sequential(first, *rest)


@MODELS.register_module()
class ShuffleNetV1(BottleneckBackbone):
    """ShuffleNet V1 with feature-pyramid outputs.

    Source: arXiv 1707.01083, table 1; V1-50 arXiv 1807.11164, appendix table 2.

    Args:
        arch: ``'0.5x'``, ``'1.0x'``, ``'1.5x'``, ``'2.0x'``, or with groups 3 ``'50'``, as
            V1-50 by its macs, or ``'50_caption'``, as the caption of its table.
        groups: 1, 2, 3, 4 or 8.
        kwargs: As in :class:`shufflenet_det.backbones.base.LevelBackbone`; levels 0 to 3.

    Raises:
        ValueError: If arch, groups, or an argument of the levels is not allowed.
    """

    def __init__(self, arch: str = '1.0x', groups: int = 3, **kwargs) -> None:
        super().__init__(shufflenet_v1_arch(arch, groups), **kwargs)

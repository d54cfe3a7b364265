"""The blocks that tables 1 to 4 and the comparison of units stack (arXiv 1807.11164).

Every stack has :data:`BLOCKS` blocks at stride 1 and maps (N, C, H, W) to the same shape.
Tables 1 to 3 stack bare 1x1 convs: the paper names no norm, bias or activation there.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from mmdet.models.layers import InvertedResidual
from torch import Tensor, nn

from shufflenet_det.archs import ShuffleNetV2Arch
from shufflenet_det.backbones.base import LayerFactory
from shufflenet_det.backbones.shufflenet_v1 import GroupedUnit
from shufflenet_det.backbones.shufflenet_v2 import ShuffleUnit

BLOCKS = 10
SIDE = 56
"""Side of the input, in px."""


@dataclass(frozen=True)
class Stack:
    """Blocks in a row.

    Args:
        module: Maps (N, channels, H, W) to the same shape.
        channels: What it reads.
    """

    module: nn.Sequential
    channels: int

    @property
    def macs(self) -> int:
        """Multiply-adds of one image of SIDE x SIDE; no conv changes the size."""
        return SIDE**2 * conv_weights(self.module)


Build = Callable[[int], Stack]
"""Channels of the table's first row -> the stack of a row with the same macs."""


def conv_weights(module: nn.Module) -> int:
    """Weights of all convs, which are the macs of an output pixel where all have stride 1."""
    return sum(m.weight.numel() for m in module.modules() if isinstance(m, nn.Conv2d))


def _pointwise(c_in: int, c_out: int, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 1, groups=groups, bias=False)


def _chain(widths: list[int], groups: int = 1) -> Stack:
    convs = (_pointwise(a, b, groups) for a, b in pairwise(widths))
    return Stack(nn.Sequential(*convs), widths[0])


def channel_ratio(channels: tuple[int, int], first: int) -> Build:
    """Table 1: a 1x1 conv c1 -> c2 and a 1x1 conv c2 -> c1, with the printed channels.

    Their macs are not quite equal: 36:432 has 5 % fewer than 128:128.

    Args:
        channels: (c1, c2) of the first column that the paper prints for a chip.
        first: Channels of that column's first row; at twice as many, c1 and c2 are twice as many.
    """

    def stack(c: int) -> Stack:
        c1, c2 = (width * c // first for width in channels)
        return _chain([c1, c2] * BLOCKS + [c1])

    return stack


def group_conv(groups: int) -> Build:
    """Table 2: a 1x1 group conv.

    The paper's width of 180 cannot be split into 8 groups: two convs in turn have widths of the
    nearest multiples of the groups.
    """

    def stack(c: int) -> Stack:
        wanted = c * c * groups
        c1 = groups * round(math.sqrt(wanted) / groups)
        c2 = groups * round(wanted / c1 / groups)
        return _chain([c1, c2] * (BLOCKS // 2) + [c1], groups)

    return stack


class _Sum(nn.Module):
    """Parallel fragments, added."""

    def __init__(self, fragments: list[nn.Module]) -> None:
        super().__init__()
        self.fragments = nn.ModuleList(fragments)

    def forward(self, x: Tensor) -> Tensor:
        out = self.fragments[0](x)
        for fragment in self.fragments[1:]:
            out = out + fragment(x)
        return out


def fragmented(fragments: int, parallel: bool) -> Build:
    """Table 3: a block of 1x1 convs in series, or in parallel with added outputs."""

    def stack(c: int) -> Stack:
        width = round(c / math.sqrt(fragments))
        block = _Sum if parallel else (lambda convs: nn.Sequential(*convs))
        blocks = (
            block([_pointwise(width, width) for _ in range(fragments)]) for _ in range(BLOCKS)
        )
        return Stack(nn.Sequential(*blocks), width)

    return stack


class _Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, optionally with ReLU behind each and with a shortcut."""

    def __init__(self, c: int, relu: bool, shortcut: bool) -> None:
        super().__init__()
        act = nn.ReLU if relu else nn.Identity
        middle = c // 4
        self.convs = nn.Sequential(
            _pointwise(c, middle), act(),
            nn.Conv2d(middle, middle, 3, padding=1, bias=False), act(),
            _pointwise(middle, c),
        )  # fmt: skip
        self.shortcut = shortcut
        self.act = act()

    def forward(self, x: Tensor) -> Tensor:
        y = self.convs(x)
        return self.act(y + x if self.shortcut else y)


def bottleneck(relu: bool, shortcut: bool) -> Build:
    """Table 4: ResNet's bottleneck of c, c / 4, c / 4, c channels.

    The paper does not say where its c stands. With 4 c outside, its 5.0 images/s at c = 128 on
    ARM would be 44 G macs/s on one core of the Snapdragon 810; c outside gives 2.7 G.
    """

    def stack(c: int) -> Stack:
        blocks = (_Bottleneck(c, relu, shortcut) for _ in range(BLOCKS))
        return Stack(nn.Sequential(*blocks), c)

    return stack


def _layers() -> LayerFactory:
    return LayerFactory(None, dict(type='BN'), dict(type='ReLU', inplace=True))


def shuffle_v2_unit(c: int, large_receptive_field: bool = False) -> nn.Module:
    """The stride-1 unit of ShuffleNet V2 or V2*."""
    arch = ShuffleNetV2Arch(
        stem=(), stages=((c, 1),) * 3, last_conv=1, large_receptive_field=large_receptive_field
    )
    return ShuffleUnit(c, c, arch, _layers())


def grouped_unit(c: int, groups: int) -> nn.Module:
    """The stride-1 unit of ShuffleNet V1, or with one group of Xception."""
    return GroupedUnit(c, c, 4, (groups, groups), _layers())


def inverted_residual(c: int) -> nn.Module:
    """The stride-1 unit of MobileNet V2 with expansion 6."""
    return InvertedResidual(c, c, 6 * c, act_cfg=dict(type='ReLU6'))


def separable(c: int) -> nn.Module:
    """The depthwise separable conv of MobileNet V1."""
    layers = _layers()
    return nn.Sequential(
        *layers.depthwise(c), layers.act(), *layers.conv_norm(c, c, 1), layers.act()
    )


def units(unit: Callable[[int], nn.Module], multiple: int) -> Build:
    """Units of a family, as wide as gives the macs of ShuffleNet V2 units of c channels.

    Args:
        unit: Channels -> unit.
        multiple: What the channels must be a multiple of.
    """

    def stack(c: int) -> Stack:
        with torch.device('meta'):
            wanted = conv_weights(shuffle_v2_unit(c))
            widths = range(multiple, 4 * c, multiple)
            place = bisect_left(widths, wanted, key=lambda width: conv_weights(unit(width)))
            near = widths[max(place - 1, 0) : place + 1]
            width = min(near, key=lambda width: abs(conv_weights(unit(width)) - wanted))
        return Stack(nn.Sequential(*(unit(width) for _ in range(BLOCKS))), width)

    return stack

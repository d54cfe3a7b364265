"""MobileNet V1 (arXiv 1704.04861) as an MMDetection backbone."""

from __future__ import annotations

from dataclasses import dataclass

from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .base import LevelBackbone

STEM = (32, 64)
"""Channels of the 3x3/2 conv and of the separable conv behind it."""

STAGES = ((128, 2), (256, 2), (512, 6), (1024, 2))
"""(out_channels, separable convs) of each level (table 1)."""


@dataclass(frozen=True)
class MobileNetV1Arch:
    """Table 1 with every width multiplied."""

    widen_factor: float

    def width(self, channels: int) -> int:
        """Channels times the widen factor, 8 at least."""
        return max(8, round(channels * self.widen_factor))

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of levels 0 to 3."""
        return tuple(self.width(channels) for channels, _ in STAGES)


class SeparableStage(nn.Sequential):
    """Depthwise separable convs in a row."""

    def __init__(self, *modules: nn.Module, with_cp: bool = False) -> None:
        super().__init__(*modules)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        if self.with_cp and x.requires_grad:
            return checkpoint(super().forward, x, use_reentrant=False)
        return super().forward(x)


@MODELS.register_module()
class MobileNetV1(LevelBackbone):
    """MobileNet V1 with feature-pyramid outputs.

    Source: arXiv 1704.04861, table 1. The five repeated convs at stride 16 belong to level 2.

    Args:
        widen_factor: Width multiplier; 0.25, 0.5, 0.75 and 1.0 in the paper.
        kwargs: As in :class:`shufflenet_det.backbones.base.LevelBackbone`; levels 0 to 3.

    Raises:
        ValueError: If widen_factor or an argument of the levels is not allowed.
    """

    stem_names = ('conv1',)
    stem_stride = 2

    def __init__(self, widen_factor: float = 1.0, **kwargs) -> None:
        if not widen_factor > 0:
            raise ValueError(f'widen_factor={widen_factor} is not allowed; give a number above 0')
        super().__init__(MobileNetV1Arch(widen_factor), **kwargs)

    def make_stem(self) -> None:
        first, second = map(self.arch.width, STEM)
        conv = self._layers.conv_norm(3, first, 3, stride=2)
        self.conv1 = nn.Sequential(*conv, self._layers.act(), *self._separable(first, second))

    def make_level(self, level: int, stride: int, dilation: int) -> nn.Sequential:
        channels, num_convs = self.arch.level_channels, STAGES[level][1]
        in_channels = channels[level - 1] if level else self.arch.width(STEM[-1])
        modules = self._separable(in_channels, channels[level], stride, dilation)
        for _ in range(num_convs - 1):
            modules += self._separable(channels[level], channels[level], 1, dilation)
        return SeparableStage(*modules, with_cp=self.with_cp)

    def _separable(
        self, in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1
    ) -> list[nn.Module]:
        return [
            *self._layers.depthwise(in_channels, stride, dilation),
            self._layers.act(),
            *self._layers.conv_norm(in_channels, out_channels, 1),
            self._layers.act(),
        ]

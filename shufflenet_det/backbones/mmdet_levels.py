"""MMDetection's own MobileNet V2 and ResNet with the levels that the other backbones have."""

from __future__ import annotations

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmdet.models.backbones import MobileNetV2, ResNet
from mmdet.models.utils import make_divisible
from mmdet.registry import MODELS
from torch import nn

from .base import (
    check_choice,
    checked_out_indices,
    last_stage_dilation,
    published_levels,
    unstride,
)

# Index of the last of MMDetection's MobileNetV2 layers of each level; 7 is the last 1x1 conv.
_MOBILENET_LAYERS = (1, 2, 4, 6, 7)
_MOBILENET_STEM = 32


@MODELS.register_module()
class LevelMobileNetV2(MobileNetV2):
    """MMDetection's MobileNetV2 (arXiv 1801.04381), parameter names unchanged.

    Args:
        widen_factor: Width multiplier.
        divisor: Widths are rounded to its multiples; 8 is MMDetection's.
        keep_last: Widths below 1 leave the last bottleneck at 320 channels, as section 4.1 can
            be read ("all layers except the very last"). With divisor 4 this, and no other rule
            that was tried, gives the macs of arXiv 1807.11164, table 8, within 3 %.
        out_indices: Increasing levels out of 0, 1, 2, 3 (strides 4, 8, 16, 32) and 4 (the last
            1x1 conv, stride 32). What no level needs is not built.
        output_stride: 32, or 16: the layers behind level 2 then keep stride 1.
        last_dilation: Dilation of their 3x3 convs when output_stride is 16; None is 2.
        frozen_stages: -1 freezes nothing, 0 the stem, k the stem and levels 0 to k - 1.
        kwargs: As in MMDetection's.

    Attributes:
        out_channels, out_strides: Of each output, in the order of out_indices.

    Raises:
        ValueError: If out_indices, frozen_stages, output_stride or last_dilation is not allowed.
    """

    def __init__(
        self,
        widen_factor: float = 1.0,
        divisor: int = 8,
        keep_last: bool = False,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        output_stride: int = 32,
        last_dilation: int | None = None,
        frozen_stages: int = -1,
        **kwargs,
    ) -> None:
        levels = checked_out_indices(out_indices)
        check_choice('output_stride', output_stride, (16, 32))
        dilation = last_stage_dilation(output_stride, last_dilation)
        check_choice('frozen_stages', frozen_stages, range(-1, min(levels[-1], 3) + 2))
        frozen = frozen_stages if frozen_stages < 1 else _MOBILENET_LAYERS[frozen_stages - 1] + 1
        self._divisor, self._keep_last = divisor, keep_last
        super().__init__(
            widen_factor,
            out_indices=tuple(_MOBILENET_LAYERS[i] for i in levels),
            frozen_stages=frozen,
            **kwargs,
        )
        if divisor != 8:
            self.conv1 = ConvModule(
                3, self._width(_MOBILENET_STEM), 3, stride=2, padding=1,
                conv_cfg=self.conv_cfg, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg,
            )  # fmt: skip
        widths = [*map(self._width, (row[1] for row in self.arch_settings)), self.out_channel]
        channels = [widths[index] for index in _MOBILENET_LAYERS]
        self.out_channels, self.out_strides = published_levels(channels, levels, output_stride)
        if output_stride == 16:
            for name in self.layers[_MOBILENET_LAYERS[2] + 1 : _MOBILENET_LAYERS[3] + 1]:
                unstride(getattr(self, name), dilation)
        last = self.out_indices[-1]
        for name in self.layers[last + 1 :]:
            delattr(self, name)
        self.layers = self.layers[: last + 1]

    def _width(self, channels: int) -> int:
        if self._keep_last and self.widen_factor < 1 and channels == self.arch_settings[-1][1]:
            return channels
        return make_divisible(channels * self.widen_factor, self._divisor)

    def make_layer(self, out_channels: int, *args, **kwargs) -> nn.Sequential:
        index = len(self.layers)
        if index == 0:
            self.in_channels = self._width(_MOBILENET_STEM)
        return super().make_layer(self._width(self.arch_settings[index][1]), *args, **kwargs)

    def _freeze_stages(self) -> None:
        super()._freeze_stages()
        if self.frozen_stages >= 0:
            self.conv1.eval()  # MMDetection freezes its weights only

    def train(self, mode: bool = True) -> LevelMobileNetV2:
        super().train(mode)
        return self


@MODELS.register_module()
class LevelResNet(ResNet):
    """MMDetection's ResNet (arXiv 1512.03385), parameter names unchanged.

    Args:
        depth: 18, 34, 50, 101 or 152.
        out_indices: Increasing levels out of 0, 1, 2, 3 (strides 4, 8, 16, 32).
        output_stride: 32, or 16: the last stage then keeps stride 1.
        last_dilation: Dilation of its 3x3 convs when output_stride is 16; None is 2.
        kwargs: As in MMDetection's, where frozen_stages and norm_eval default to -1 and True.

    Attributes:
        out_channels, out_strides: Of each output, in the order of out_indices.

    Raises:
        ValueError: If out_indices, output_stride or last_dilation is not allowed.
    """

    def __init__(
        self,
        depth: int = 50,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        output_stride: int = 32,
        last_dilation: int | None = None,
        **kwargs,
    ) -> None:
        levels = checked_out_indices(out_indices, 4)
        check_choice('output_stride', output_stride, (16, 32))
        dilation = last_stage_dilation(output_stride, last_dilation)
        strides, dilations = (1, 2, 2, 2), (1, 1, 1, 1)
        if output_stride == 16:
            strides, dilations = (1, 2, 2, 1), (1, 1, 1, dilation)
        stages = levels[-1] + 1
        super().__init__(
            depth,
            num_stages=stages,
            strides=strides[:stages],
            dilations=dilations[:stages],
            out_indices=levels,
            **kwargs,
        )
        channels = [self.block.expansion * self.base_channels * 2**i for i in range(stages)]
        self.out_channels, self.out_strides = published_levels(channels, levels, output_stride)

    def train(self, mode: bool = True) -> LevelResNet:
        super().train(mode)
        return self

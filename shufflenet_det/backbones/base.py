"""What the backbones share: rows of layers, levels of a feature pyramid, freezing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mmcv.cnn import build_activation_layer, build_conv_layer, build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from shufflenet_det.archs import LEVEL_STRIDES, LEVELS

DEFAULT_INIT = [
    dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
    dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
]


class LayerFactory:
    """Builds the conv-BN-activation rows of a net from the usual MMDetection configs."""

    def __init__(self, conv_cfg: dict | None, norm_cfg: dict, act_cfg: dict) -> None:
        self.conv_cfg, self.norm_cfg, self.act_cfg = conv_cfg, norm_cfg, act_cfg

    def conv_norm(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> list[nn.Module]:
        """A conv without bias and the normalisation behind it, padded to keep the size."""
        conv = build_conv_layer(
            self.conv_cfg, in_channels, out_channels, kernel_size, stride=stride,
            padding=dilation * (kernel_size // 2), dilation=dilation, groups=groups, bias=False,
        )  # fmt: skip
        return [conv, build_norm_layer(self.norm_cfg, out_channels)[1]]

    def depthwise(self, channels: int, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
        """A 3x3 depthwise conv and the normalisation behind it."""
        return self.conv_norm(channels, channels, 3, stride, dilation, groups=channels)

    def act(self) -> nn.Module:
        """The activation."""
        return build_activation_layer(self.act_cfg)


class Arch(Protocol):
    """What LevelBackbone reads from a row of a table of architectures."""

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of levels 0 to 3 and, where the net has a last 1x1 conv, 4."""


class LevelBackbone(BaseModule):
    """A stem, then one module per level of the feature pyramid.

    Subclasses make the modules in ``make_stem`` and ``make_level``. Reads (N, 3, H, W) with
    H, W >= 32 and returns a tuple of (N, C, ceil(H / stride), ceil(W / stride)).

    Args:
        arch: Row of the architecture; gives the channels of the levels.
        out_indices: Increasing levels out of 0, 1, 2, 3 (strides 4, 8, 16, 32) and, where the
            net has a last 1x1 conv, 4 (stride 32). What no level needs is not built.
        output_stride: 32, or 16: the last stage then keeps stride 1.
        last_dilation: Dilation of the last stage's 3x3 convs when output_stride is 16; 2 keeps
            the receptive field (atrous), 1 does not. None is 2 at 16 and 1 at 32.
        frozen_stages: -1 freezes nothing, 0 the stem, k the stem and levels 0 to k - 1.
        conv_cfg, norm_cfg, act_cfg: As in every MMDetection backbone.
        norm_eval: Keep all BN layers in eval mode while training.
        with_cp: Trade speed for memory with activation checkpointing.
        init_cfg: As in every MMDetection backbone.
        pretrained: Refused: what mmsegmentation's ``model.pretrained`` names is another net's.

    Attributes:
        out_channels: Channels of each output, in the order of out_indices.
        out_strides: Stride of each output, in the order of out_indices.

    Raises:
        ValueError: If out_indices, frozen_stages, output_stride, last_dilation or pretrained is
            not allowed.
    """

    stem_names: tuple[str, ...] = ('conv1', 'maxpool')
    stem_stride = 4

    def __init__(
        self,
        arch: Arch,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        output_stride: int = 32,
        last_dilation: int | None = None,
        frozen_stages: int = -1,
        conv_cfg: dict | None = None,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
        pretrained: None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg or DEFAULT_INIT)
        refuse_pretrained(pretrained)
        self.arch = arch
        self.out_indices = checked_out_indices(out_indices, len(arch.level_channels))
        last_level = self.out_indices[-1]
        check_choice('output_stride', output_stride, (16, 32))
        check_choice('frozen_stages', frozen_stages, range(-1, last_level + 2))
        self.output_stride = output_stride
        self.last_dilation = last_stage_dilation(output_stride, last_dilation)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        self.act_cfg = act_cfg or dict(type='ReLU', inplace=True)
        self._layers = LayerFactory(conv_cfg, norm_cfg or dict(type='BN'), self.act_cfg)
        self.out_channels, self.out_strides = published_levels(
            arch.level_channels, self.out_indices, output_stride
        )

        self.make_stem()
        self._make_levels(range(last_level + 1))
        self._freeze_stages()

    def _make_levels(self, levels: Sequence[int]) -> None:
        stride = self.stem_stride
        for level in levels:
            target = min(LEVEL_STRIDES[level], self.output_stride)
            dilation = self.last_dilation if level == 3 else 1
            module = self.make_level(level, target // stride, dilation)
            if module is not None:
                self.add_module(LEVELS[level], module)
            stride = target

    def make_stem(self) -> None:
        """Add the modules that ``stem_names`` lists."""
        raise NotImplementedError

    def make_level(self, level: int, stride: int, dilation: int) -> nn.Module | None:
        """The module that makes a level from the one before; None where they are the same."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        for name in self.stem_names:
            x = getattr(self, name)(x)
        outs = []
        for level in range(self.out_indices[-1] + 1):
            stage = getattr(self, LEVELS[level], None)
            if stage is not None:
                x = stage(x)
            if level in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def _freeze_stages(self) -> None:
        if self.frozen_stages < 0:
            return
        for name in (*self.stem_names, *LEVELS[: self.frozen_stages]):
            module = getattr(self, name, None)
            if module is not None:
                module.eval()
                module.requires_grad_(False)

    def train(self, mode: bool = True) -> LevelBackbone:
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self


def published_levels(
    level_channels: Sequence[int], out_indices: Sequence[int], output_stride: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Channels and strides of the levels that a backbone hands out."""
    channels = tuple(level_channels[i] for i in out_indices)
    return channels, tuple(min(LEVEL_STRIDES[i], output_stride) for i in out_indices)


def last_stage_dilation(output_stride: int, last_dilation: int | None) -> int:
    """Dilation of the last stage's 3x3 convs.

    Args:
        output_stride: 16 or 32.
        last_dilation: None is 2 at output stride 16, which keeps the receptive field, and 1 at 32.

    Raises:
        ValueError: If a stage that strides is to be dilated.
    """
    if last_dilation is None:
        return 2 if output_stride == 16 else 1
    if output_stride == 32 and last_dilation != 1:
        raise ValueError(
            f'last_dilation={last_dilation} (atrous) needs output_stride=16, and output_stride is '
            '32: set output_stride=16, or leave last_dilation out'
        )
    return last_dilation


def unstride(stage: nn.Module, dilation: int) -> None:
    """Let a built stage keep its input's size: no stride, 3x3 convs dilated, in place."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)
            if module.kernel_size == (3, 3):
                module.dilation = module.padding = (dilation, dilation)


def refuse_pretrained(pretrained: object) -> None:
    """Raise ValueError, with what to write, where a model hands weights of another net down."""
    if pretrained is not None:
        raise ValueError(
            f'pretrained={pretrained!r} is for another backbone: write pretrained=None where it '
            "stands, model or backbone, and init_cfg=dict(type='Pretrained', checkpoint=...) in "
            'the backbone'
        )


def check_choice(name: str, value: int | str, allowed: Sequence) -> None:
    """Raise ValueError with what is allowed if a value is none of it."""
    if value not in allowed:
        raise ValueError(f'{name}={value!r} is not allowed; choose one of {list(allowed)}')


def checked_out_indices(out_indices: Sequence[int], num_levels: int = 5) -> tuple[int, ...]:
    """Levels as a tuple; ValueError unless they increase and exist."""
    if isinstance(out_indices, int):
        raise ValueError(
            f'out_indices={out_indices} is not allowed; give a tuple, such as ({out_indices},)'
        )
    indices = tuple(out_indices)
    allowed = set(range(num_levels))
    if not indices or list(indices) != sorted(set(indices)) or not set(indices) <= allowed:
        last = ' and 4 (the last 1x1 conv)' if num_levels == 5 else ''
        raise ValueError(
            f'out_indices={indices} is not allowed; give increasing levels out of '
            f'0, 1, 2, 3 (strides 4, 8, 16, 32){last}'
        )
    return indices

"""ShuffleNet V2 (arXiv 1807.11164) as an MMDetection backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.ops import SqueezeExcitation

from shufflenet_det.archs import ShuffleNetV2Arch, get_arch
from shufflenet_det.checkpoints import PretrainedMixin
from shufflenet_det.checkpoints.channel_order import even_first

from .base import LayerFactory, LevelBackbone, check_choice


class _InterleaveChannelsLast(torch.autograd.Function):
    """`interleave` of maps in channels-last format, which the result and the gradients have."""

    @staticmethod
    def forward(ctx, first: Tensor, second: Tensor) -> Tensor:
        rows = [x.permute(0, 2, 3, 1) for x in (first, second)]
        out = rows[0].new_empty(*rows[0].shape, 2)
        for place, x in enumerate(rows):
            out[..., place] = x
        return out.flatten(3).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, ...]:
        pairs = gradient.permute(0, 2, 3, 1).contiguous().unflatten(3, (-1, 2))
        return tuple(x.contiguous().permute(0, 3, 1, 2) for x in pairs.unbind(4))


def interleave(first: Tensor, second: Tensor) -> Tensor:
    """Concat and channel shuffle with 2 groups in one copy.

    Args:
        first, second: (N, C, H, W) each.

    Returns:
        (N, 2C, H, W), channels first[0], second[0], first[1], second[1], ...
    """
    if torch.is_grad_enabled() and first.stride(1) == second.stride(1) == 1 < first.shape[1]:
        return _InterleaveChannelsLast.apply(first, second)
    return torch.stack((first, second), dim=2).flatten(1, 2)


class ShuffleUnit(BaseModule):
    """A unit of figure 3 (c) and (d), with the variants of section 4 and appendix figure 2.

    With ``two_branch`` it is the unit that starts a stage (stride 2, or 1): no split, both
    branches read the whole input. Otherwise half of the channels pass unchanged.
    Branches of unequal widths (``arch.keep_branch1_width``) are joined in the order ``even_first``
    of a stage of ``stage_units`` units, which splits both as Megvii's code does.
    Maps (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        arch: ShuffleNetV2Arch,
        layers: LayerFactory,
        stride: int = 1,
        dilation: int = 1,
        two_branch: bool = False,
        stage_units: int = 1,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        half = out_channels // 2
        passed = in_channels if two_branch and arch.keep_branch1_width else half
        order = None if passed == half else torch.tensor(even_first(out_channels, stage_units))
        self.register_buffer('order', order, persistent=False)
        branch_in = in_channels if two_branch else half
        self.with_cp = with_cp
        self.residual = arch.residual and not two_branch
        self.branch1 = self.pre = self.se = None
        if two_branch:
            self.branch1 = nn.Sequential(
                *layers.depthwise(in_channels, stride, dilation),
                *layers.conv_norm(in_channels, passed, 1),
                layers.act(),
            )
        if arch.large_receptive_field:
            self.pre = nn.Sequential(*layers.depthwise(branch_in))
        self.branch2 = nn.Sequential(
            *layers.conv_norm(branch_in, half, 1),
            layers.act(),
            *layers.depthwise(half, stride, dilation),
            *layers.conv_norm(half, out_channels - passed, 1),
            nn.Identity() if self.residual else layers.act(),
        )
        if arch.se:
            hidden = round(out_channels * arch.se_ratio)
            self.se = SqueezeExcitation(out_channels - passed, hidden)
        self.act = layers.act() if self.residual else None

    def process(self, x: Tensor) -> Tensor:
        """The convolved half: (N, branch_in, H, W) to (N, out_channels / 2, H', W')."""
        y = x if self.pre is None else self.pre(x)
        y = self.branch2(y)
        if self.se is not None:
            y = self.se(y)
        return self.act(y + x) if self.residual else y

    def _forward(self, x: Tensor) -> Tensor:
        if self.branch1 is not None:
            branches = self.branch1(x), self.process(x)
            if self.order is None:
                return interleave(*branches)
            return torch.cat(branches, dim=1).index_select(1, self.order)
        passed, worked = x.chunk(2, dim=1)
        return interleave(passed, self.process(worked))

    def forward(self, x: Tensor) -> Tensor:
        if self.with_cp and x.requires_grad:
            return checkpoint(self._forward, x, use_reentrant=False)
        return self._forward(x)


class _IdentityPre(BaseModule):
    """Starts the extra depthwise convs of v2* as the identity: a plain net's weights then hold."""

    def init_weights(self) -> None:
        first_time = not self.is_init
        super().init_weights()
        for unit in self.modules() if first_time else ():
            if isinstance(unit, ShuffleUnit) and unit.pre is not None:
                conv = unit.pre[0]
                nn.init.dirac_(conv.weight, groups=conv.groups)


@MODELS.register_module()
class ShuffleNetV2(PretrainedMixin, _IdentityPre, LevelBackbone):
    """ShuffleNet V2 with feature-pyramid outputs.

    Source: arXiv 1807.11164, table 5 and appendix table 2. Parameter names equal torchvision's
    ``shufflenet_v2_x*``, so that ``torchvision://`` checkpoints load. Reads (N, 3, H, W) with
    H, W >= 32 and returns a tuple of (N, C, ceil(H / stride), ceil(W / stride)).

    Args:
        arch: ``'0.5x'``, ``'1.0x'``, ``'1.5x'``, ``'2.0x'``, ``'50'``, ``'164'``, or a dict
            with the fields of :class:`shufflenet_det.archs.ShuffleNetV2Arch`.
        se: Squeeze-and-excitation on or off; None takes the arch's own.
        se_ratio: Hidden width of SE as part of the unit's output channels; None takes the arch's
            own, 1/2 in the table.
        residual: Residual connections on or off; None takes the arch's own.
        large_receptive_field: The v2* variant on or off; None takes the arch's own.
        keep_branch1_width: Megvii's own first unit on or off, which its files of 1.0x and wider
            need; None takes the arch's own.
        kwargs: out_indices, output_stride, last_dilation, frozen_stages, conv_cfg, norm_cfg,
            act_cfg, norm_eval, with_cp and init_cfg, as in
            :class:`shufflenet_det.backbones.base.LevelBackbone`; level 4 is the last 1x1 conv.

    Attributes:
        out_channels: Channels of each output, in the order of out_indices.
        out_strides: Stride of each output, in the order of out_indices.

    Raises:
        ValueError: If arch, out_indices, frozen_stages, output_stride or last_dilation is not
            allowed.
    """

    def __init__(
        self,
        arch: str | Mapping | ShuffleNetV2Arch = '1.0x',
        se: bool | None = None,
        se_ratio: float | None = None,
        residual: bool | None = None,
        large_receptive_field: bool | None = None,
        keep_branch1_width: bool | None = None,
        **kwargs,
    ) -> None:
        switches = dict(
            se=se, se_ratio=se_ratio, residual=residual,
            large_receptive_field=large_receptive_field, keep_branch1_width=keep_branch1_width,
        )  # fmt: skip
        super().__init__(
            replace(get_arch(arch), **{k: v for k, v in switches.items() if v is not None}),
            **kwargs,
        )

    def make_stem(self) -> None:
        modules, in_channels = [], 3
        for out_channels, stride in self.arch.stem:
            modules += self._layers.conv_norm(in_channels, out_channels, 3, stride)
            modules.append(self._layers.act())
            in_channels = out_channels
        self.conv1 = nn.Sequential(*modules)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)

    def make_level(self, level: int, stride: int, dilation: int) -> nn.Sequential | None:
        channels = self.arch.level_channels
        if level == 4:
            return nn.Sequential(*self._layers.conv_norm(*channels[3:], 1), self._layers.act())
        index = level - self.arch.first_level
        if index < 0:
            return None
        in_channels = channels[level - 1] if index else self.arch.stem[-1][0]
        out_channels, num_units = self.arch.stages[index]
        common = dict(arch=self.arch, layers=self._layers, dilation=dilation, with_cp=self.with_cp)
        first = ShuffleUnit(
            in_channels, out_channels, stride=stride, two_branch=True, stage_units=num_units,
            **common,
        )  # fmt: skip
        rest = [ShuffleUnit(out_channels, out_channels, **common) for _ in range(num_units - 1)]
        return nn.Sequential(first, *rest)


@MODELS.register_module()
class SEShuffleNetV2(ShuffleNetV2):
    """SE-ShuffleNet V2-164 with residual (arXiv 1807.11164, appendix table 2).

    Not the later ShuffleNetV2.Large of Megvii, which has 8-group 3x3 convs and other widths.
    Takes every argument of :class:`ShuffleNetV2` but arch, and

    Args:
        depth: 164.

    Raises:
        ValueError: If depth is not 164.
    """

    def __init__(self, depth: int = 164, **kwargs) -> None:
        check_choice('depth', depth, (164,))
        super().__init__(arch=str(depth), **kwargs)

"""From the training form of a backbone to its form without shuffles."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from shufflenet_det.archs import LEVELS
from shufflenet_det.backbones.shufflenet_v2 import ShuffleNetV2, ShuffleUnit

from .channel_plan import Order
from .fuse import folded, reorder
from .shuffle_free import ShuffleFreeBackbone, ShuffleFreeUnit


@torch.no_grad()
def shuffle_free(
    backbone: nn.Module, original_order: bool = True, align: int = 1
) -> ShuffleFreeBackbone:
    """The inference form of a ShuffleNet V2 backbone, which itself stays as it is.

    Args:
        backbone: A ShuffleNetV2 in any mode; its running statistics are used.
        original_order, align: As in ShuffleFreeBackbone.

    Raises:
        ValueError: If it is no ShuffleNetV2, or has convs or norms that do not fold.
    """
    if not isinstance(backbone, ShuffleNetV2):
        raise ValueError(
            f'{type(backbone).__name__} has no shuffles to remove; give a ShuffleNetV2 or '
            'SEShuffleNetV2 backbone, or a detector with one to switch_to_deploy'
        )
    free = ShuffleFreeBackbone(**structure(backbone), original_order=original_order, align=align)
    weight = next(backbone.parameters())
    free.to(device=weight.device, dtype=weight.dtype).eval().requires_grad_(False)
    order = _fill_stem(free.stem, backbone.conv1)
    for name in LEVELS[:4]:
        stage = getattr(free, name, None)
        if stage is not None:
            for unit, source in zip(stage.units, getattr(backbone, name), strict=True):
                _fill_unit(unit, source)
            order = stage.out_order
    if hasattr(free, 'conv5'):
        _fill(free.conv5[0], folded(*backbone.conv5[:2]), free.level_orders[-1], order)
    return free


def structure(backbone: ShuffleNetV2) -> dict:
    """The arguments of ShuffleFreeBackbone that describe this backbone."""
    return dict(
        arch=backbone.arch,
        out_indices=backbone.out_indices,
        output_stride=backbone.output_stride,
        last_dilation=backbone.last_dilation,
        act_cfg=backbone.act_cfg,
    )


def _fill_stem(stem: nn.Sequential, source: nn.Sequential) -> Order:
    """Fill the stem's convs; return the order of the channels behind it."""
    convs = [m for m in stem.modules() if isinstance(m, nn.Conv2d)]
    in_order: Order = [0, 1, 2]
    for i, target in enumerate(convs):
        weights = folded(*source[3 * i : 3 * i + 2])
        channels = len(weights[1])
        out_order = list(range(channels)) + [-1] * (target.out_channels - channels)
        _fill(target, weights, out_order, in_order)
        in_order = out_order
    return in_order


def _fill_unit(unit: ShuffleFreeUnit, source: ShuffleUnit) -> None:
    branch1, branch2 = source.branch1, source.branch2
    if branch1 is not None:
        _fill(unit.shortcut_depthwise, folded(*branch1[:2]), unit.in_order)
        _fill_writer(unit, unit.shortcut, folded(*branch1[2:4]), unit.in_order, 0)
    if source.pre is not None:
        _fill(unit.pre, folded(*source.pre), unit.in_order)
    _fill(unit.expand, folded(*branch2[:2]), unit.mid_order, unit.in_order)
    _fill(unit.depthwise, folded(*branch2[3:5]), unit.mid_order)
    writer = unit.index + 1
    _fill_writer(unit, unit.project, folded(*branch2[5:7]), unit.mid_order, writer)
    if source.se is not None:
        _fill_se(unit.se, source.se, unit.plan.written_order(writer))


def _fill_writer(
    unit: ShuffleFreeUnit,
    convs: nn.ModuleList,
    weights: tuple[Tensor, Tensor],
    in_order: Order,
    writer: int,
) -> None:
    orders = [piece.written for piece in unit.plan.written_by(writer)]
    if unit.one_conv:
        orders = [sum(orders, [])]
    for target, order in zip(convs, orders, strict=True):
        _fill(target, weights, order, in_order)


def _fill_se(se: SqueezeExcitation, source: SqueezeExcitation, order: Order) -> None:
    fc1, fc2 = source.fc1, source.fc2
    _fill(se.fc1, (fc1.weight, fc1.bias), list(range(fc1.out_channels)), order)
    _fill(se.fc2, (fc2.weight, fc2.bias), order)


def _fill(
    target: nn.Conv2d,
    weights: tuple[Tensor, Tensor],
    out_order: Order,
    in_order: Order | None = None,
) -> None:
    weight, bias = weights
    if in_order is not None:
        weight = reorder(weight, in_order, dim=1)
    target.weight.copy_(reorder(weight, out_order))
    target.bias.copy_(reorder(bias, out_order))

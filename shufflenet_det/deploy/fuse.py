"""Folding of batch norm and of channel orders into conv weights."""

from __future__ import annotations

import copy
from collections import Counter

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights

from shufflenet_det.detectors import LargeSeparableConv2d

from .channel_plan import PAD, Order


def reorder(tensor: Tensor, order: Order, dim: int = 0) -> Tensor:
    """Slices of ``tensor`` along ``dim`` in the given order, zeros at its ``PAD`` places."""
    index = torch.tensor(order, device=tensor.device)
    taken = tensor.index_select(dim, index.clamp(min=0))
    shape = [1] * tensor.dim()
    shape[dim] = -1
    return taken * (index != PAD).view(shape)


def folded(conv: nn.Conv2d, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of the conv that equals ``norm(conv(x))`` in eval mode.

    Raises:
        ValueError: If conv is not a plain Conv2d, or norm is not a batch norm with statistics.
    """
    if type(conv) is not nn.Conv2d:
        raise ValueError(
            f'cannot fold into a {type(conv).__name__}; the deploy form needs conv_cfg=None'
        )
    if not _has_statistics(norm):
        raise ValueError(
            f'cannot fold a {type(norm).__name__}; the deploy form needs a batch norm with '
            "running statistics, norm_cfg=dict(type='BN') or dict(type='SyncBN')"
        )
    weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps,
        norm.weight, norm.bias,
    )  # fmt: skip
    return weight.detach(), bias.detach()


def _has_statistics(norm: nn.Module) -> bool:
    return isinstance(norm, _BatchNorm) and norm.running_mean is not None


def fold_conv_modules(model: nn.Module) -> int:
    """Fold the batch norm of every mmcv ConvModule and thin map into its convs, in place.

    A conv that several ConvModules share (the shared convs of RTMDet's head) keeps its norms.

    Returns:
        The number of batch norms folded.
    """
    modules = [m for m in model.modules() if isinstance(m, ConvModule)]
    users = Counter(id(m.conv) for m in modules)
    count = 0
    for module in modules:
        if module.with_norm and users[id(module.conv)] == 1 and _is_foldable(module):
            module.conv = with_folded(module.conv, module.norm)
            delattr(module, module.norm_name)
            module.with_norm, module.norm_name = False, None
            count += 1
    for module in model.modules():
        if isinstance(module, LargeSeparableConv2d) and _has_statistics(module.norm):
            _fold_thin_map(module)
            count += 1
    return count


@torch.no_grad()
def _fold_thin_map(module: LargeSeparableConv2d) -> None:
    """The norm of a sum of two paths scales both, and shifts one of them."""
    scale = copy.deepcopy(module.norm)
    scale.running_mean.zero_()
    if scale.bias is not None:
        scale.bias.zero_()
    for path, norm in ((module.column_row, module.norm), (module.row_column, scale)):
        path[-1] = with_folded(path[-1], norm)
    module.norm = nn.Identity()


def _is_foldable(module: ConvModule) -> bool:
    in_order = [layer for layer in module.order if layer != 'act'] == ['conv', 'norm']
    adjacent = module.order.index('norm') == module.order.index('conv') + 1
    return in_order and adjacent and type(module.conv) is nn.Conv2d and _has_statistics(module.norm)


def with_folded(conv: nn.Conv2d, norm: nn.Module) -> nn.Conv2d:
    """A new conv with a bias that equals ``norm(conv(x))`` in eval mode."""
    weight, bias = folded(conv, norm)
    fused = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding,
        conv.dilation, conv.groups, padding_mode=conv.padding_mode,
        device=weight.device, dtype=weight.dtype,
    )  # fmt: skip
    fused.weight, fused.bias = nn.Parameter(weight), nn.Parameter(bias)
    return fused.train(conv.training)

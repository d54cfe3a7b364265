"""A conv and its activation in one call of oneDNN, which torch.compile writes, too."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .banded import runs_eagerly_on_cpu

POST_OPS: dict[type[nn.Module], Callable[[nn.Module], tuple[str, list[float]]]] = {
    nn.Identity: lambda act: ('none', []),
    nn.ReLU: lambda act: ('relu', []),
    nn.LeakyReLU: lambda act: ('leaky_relu', [act.negative_slope]),
}
"""Activation -> its name and numbers in oneDNN."""

ConvAct = Callable[[nn.Conv2d, nn.Module, Tensor], Tensor]

FEWEST_PIXELS = 2000
"""Of a map (N, C, H, W), from which on convs are fused where there is one thread."""

_PACKED: WeakKeyDictionary[nn.Conv2d, tuple[Tensor, int, Tensor]] = WeakKeyDictionary()
"""Conv -> its weight, which holds that memory, the version of it, and its packed form."""


def _packed(conv: nn.Conv2d) -> Tensor:
    """The weight in the kernel's own format, made again when the weight has changed."""
    weight = conv.weight
    if weight.is_inference():  # has no version
        return weight
    known = _PACKED.get(conv)
    if known and known[0].data_ptr() == weight.data_ptr() and known[1] == weight._version:
        return known[2]
    packed = torch._C._nn.mkldnn_reorder_conv2d_weight(
        weight.detach().to_mkldnn(), conv.padding, conv.stride, conv.dilation, conv.groups
    )
    _PACKED[conv] = weight.detach(), weight._version, packed
    return packed


def _is_hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _fused(conv: nn.Conv2d, act: nn.Module, x: Tensor) -> Tensor:
    if _is_hooked(conv) or _is_hooked(act):
        return _plain(conv, act, x)
    return torch.ops.mkldnn._convolution_pointwise(
        x, _packed(conv), conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups,
        *POST_OPS[type(act)](act), '',
    )  # fmt: skip


def _plain(conv: nn.Conv2d, act: nn.Module, x: Tensor) -> Tensor:
    return act(conv(x))


def conv_act_for(x: Tensor, act: nn.Module) -> ConvAct:
    """How to compute ``act(conv(x))`` for x (N, C, H, W) and others like it.

    In plain inference on a CPU both run in one kernel, on weights that are packed once: PyTorch's
    own conv packs them at each call. The values are the same up to rounding.
    """
    able = (
        runs_eagerly_on_cpu(x)
        and type(act) in POST_OPS
        and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, '_convolution_pointwise')
    )
    if not able:  # a graph that is recorded may not ask for sizes
        return _plain
    pixels = x.shape[0] * x.shape[2] * x.shape[3]
    return _fused if pixels >= FEWEST_PIXELS or torch.get_num_threads() > 1 else _plain

"""The cost of each operation: a table from ATen ops to handlers, and the paper's equations.

Conventions: ``macs`` are multiply-accumulates of convs and matrix products, biases, norms and
activations not counted, as in arXiv 1807.11164. ``memory_access_cost`` counts elements and is
defined for convs and matrix products only. Bytes are those that every op, views apart, reads and
writes, each tensor once per op.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from math import prod, sqrt
from typing import Any

import torch
import torchvision  # noqa: F401  (registers its operators)
from torch import Tensor

aten = torch.ops.aten


@dataclass(frozen=True)
class Cost:
    """What a layer, a stage or a network costs; costs add up.

    Args:
        macs: Multiply-accumulates.
        params: Parameters, frozen ones included.
        memory_access_cost: Elements that convs and matrix products read and write (Eq. 1, 2).
        lower_bound: Least memory_access_cost at the same macs, see :func:`conv_cost`.
        activation_bytes: Bytes that ops write.
        moved_bytes: Bytes that ops read and write, weights included.
    """

    macs: int = 0
    params: int = 0
    memory_access_cost: int = 0
    lower_bound: float = 0.0
    activation_bytes: int = 0
    moved_bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Cost)))

    @property
    def memory_access_ratio(self) -> float | None:
        """memory_access_cost over its lower bound, 1 at best; None without convs."""
        return self.memory_access_cost / self.lower_bound if self.lower_bound else None

    @property
    def arithmetic_intensity(self) -> float:
        """Macs per byte moved."""
        return self.macs / self.moved_bytes if self.moved_bytes else 0.0


def conv_cost(
    in_channels: int,
    out_channels: int,
    kernel: int,
    in_positions: int,
    out_positions: int,
    groups: int = 1,
) -> Cost:
    """Macs and memory access cost of a conv (arXiv 1807.11164, Eq. 1 and 2, generalised).

    With c1 = in_channels, c2 = out_channels, k = kernel, p1 and p2 = input and output positions::

        macs               B = p2 k c1 c2 / groups
        memory_access_cost   = p1 c1 + p2 c2 + k c1 c2 / groups
        lower_bound          = 2 sqrt(p1 B / k) + B / p2

    The bound is the least cost of any conv with the same macs, kernel and positions: as much
    input as output, which at stride 1 are equal widths (G1), in one group (G2). For a 1x1 conv at
    stride 1, p1 = p2 = hw, these are the paper's equations.

    Args:
        kernel: Positions of the kernel, 9 for 3x3.
        in_positions, out_positions: N * H * W of input and output.
    """
    weights = kernel * in_channels * out_channels // groups
    macs = out_positions * weights
    cost = in_positions * in_channels + out_positions * out_channels + weights
    bound = 2 * sqrt(in_positions * macs / kernel) + macs / max(out_positions, 1)
    return Cost(macs, 0, cost, bound)


def roi_align_cost(rois: int, channels: int, bins: int, sampling_ratio: int) -> Cost:
    """RoIAlign and PSRoIAlign: each bin is the mean of sampling_ratio^2 bilinear samples.

    A sample reads four elements and takes four macs. A sampling ratio of 0 (as many samples as
    the RoI is large) is counted as 2.
    """
    out = rois * channels * bins
    read = out * (sampling_ratio or 2) ** 2 * 4
    return Cost(macs=read, activation_bytes=4 * out, moved_bytes=4 * (out + read))


def _convolution(args: tuple, out: Tensor) -> Cost:
    x, weight = args[0], args[1]
    transposed, groups = args[6], args[8]
    sizes = (x.shape, out.shape)
    # A transposed conv is the gradient of a conv from its output to its input.
    (_, c_in, *_), (_, c_out, *_) = sizes
    p_in, p_out = (size.numel() // max(size[1], 1) for size in sizes)
    kernel = prod(weight.shape[2:])
    if transposed:
        return conv_cost(c_out, c_in, kernel, p_out, p_in, groups)
    return conv_cost(c_in, c_out, kernel, p_in, p_out, groups)


def _deform_conv(args: tuple, out: Tensor) -> Cost:
    """A conv of values that are sampled bilinearly, in four macs each, as in `roi_align_cost`."""
    x, weight, groups = args[0], args[1], args[11]
    channels, kernel = x.shape[1], prod(weight.shape[2:])
    positions = out.numel() // max(out.shape[1], 1)
    conv = conv_cost(
        channels, out.shape[1], kernel, x.numel() // channels, positions, groups
    )  # fmt: skip
    return conv + Cost(macs=4 * channels * kernel * positions)


def _matmul(a: Tensor, b: Tensor) -> Cost:
    """(..., n, c1) by (..., c1, c2): a 1x1 conv on n positions."""
    *batch, rows, inner = a.shape
    cost = conv_cost(inner, b.shape[-1], 1, rows, rows)
    times = prod(batch)
    return Cost(cost.macs * times, 0, cost.memory_access_cost * times, cost.lower_bound * times)


HANDLERS: dict[Any, Callable[[tuple, Tensor], Cost]] = {
    aten.convolution: _convolution,
    aten.mm: lambda args, out: _matmul(args[0], args[1]),
    aten.bmm: lambda args, out: _matmul(args[0], args[1]),
    aten.addmm: lambda args, out: _matmul(args[1], args[2]),
    aten.baddbmm: lambda args, out: _matmul(args[1], args[2]),
    torch.ops.torchvision.deform_conv2d: _deform_conv,
}
"""Op -> macs and memory access cost from its arguments and its result."""

VIEWS = {
    aten.alias, aten.chunk, aten.detach, aten.expand, aten.permute, aten.select, aten.slice,
    aten.split, aten.split_with_sizes, aten.squeeze, aten.t, aten.transpose, aten.unbind,
    aten.unsqueeze, aten.view, aten._unsafe_view, aten.lift_fresh, aten.as_strided,
    aten.as_strided_,
}  # fmt: skip
"""They move no data."""

NO_MACS = {
    # norms: two operations per element, which disappear when folded into the conv
    aten._native_batch_norm_legit_no_training, aten.native_batch_norm, aten.native_group_norm,
    aten.native_layer_norm, aten._native_batch_norm_legit, aten.cudnn_batch_norm,
    # activations
    aten.relu, aten.relu_, aten.hardtanh, aten.hardtanh_, aten.leaky_relu, aten.leaky_relu_,
    aten.sigmoid, aten.silu, aten.silu_, aten.hardswish, aten.hardswish_, aten.hardsigmoid,
    aten.hardsigmoid_, aten.clamp, aten.clamp_, aten.clamp_min, aten.exp, aten._softmax,
    aten._safe_softmax, aten.gelu, aten.tanh, aten.tanh_, aten.log,
    # element-wise: one multiplication or addition per element, by convention no mac
    aten.add, aten.add_, aten.sub, aten.mul, aten.mul_, aten.div, aten.pow, aten.sqrt,
    aten.rsub, aten.neg, aten.maximum, aten.minimum, aten.rsqrt,
    # comparisons and choices
    aten.eq, aten.ne, aten.gt, aten.ge, aten.lt, aten.le, aten.bitwise_or, aten.bitwise_and,
    aten.logical_not, aten.masked_fill, aten.masked_fill_, aten.where,
    # poolings and resampling: additions, comparisons
    aten.max_pool2d_with_indices, aten.avg_pool2d, aten._adaptive_avg_pool2d, aten.mean, aten.sum,
    aten.upsample_nearest2d, aten.upsample_bilinear2d, aten.adaptive_max_pool2d, aten.std, aten.var,
    aten.linalg_vector_norm, aten.all, aten.any,
    # data movement: concatenation, channel shuffle, copies
    aten.cat, aten.stack, aten.clone, aten.copy_, aten._to_copy, aten.channel_shuffle,
    aten.constant_pad_nd, aten.index, aten.index_select, aten.gather, aten.native_channel_shuffle,
    aten.new_zeros, aten.zeros, aten.ones, aten.empty, aten.full, aten.arange, aten.new_empty,
    aten.new_ones, aten.new_full, aten.scalar_tensor, aten.zeros_like, aten.ones_like,
    aten.full_like, aten.fill_, aten.zero_, aten.roll, aten.repeat, aten.im2col, aten.pixel_shuffle,
    aten.pixel_unshuffle,
}  # fmt: skip
"""They have no macs by the convention above, but move bytes."""


class UnknownOpError(ValueError):
    """An op that is in none of the tables."""


def op_cost(func: torch._ops.OpOverload, args: tuple, kwargs: dict, out: object) -> Cost:
    """The cost of one op.

    Raises:
        UnknownOpError: If the op is in none of HANDLERS, VIEWS and NO_MACS.
    """
    op = func.overloadpacket
    if op in VIEWS:
        return Cost()
    if op not in HANDLERS and op not in NO_MACS:
        raise UnknownOpError(
            f'the cost of {op} is not known: add it to HANDLERS, or to NO_MACS or VIEWS with the '
            f'reason, in {__name__}'
        )
    written = sum(_bytes(t) for t in _tensors(out))
    read = sum(_bytes(t) for t in _tensors((args, tuple(kwargs.values()))))
    traffic = Cost(activation_bytes=written, moved_bytes=read + written)
    return HANDLERS[op](args, out) + traffic if op in HANDLERS else traffic


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()

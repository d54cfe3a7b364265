"""Deformable convolution (arXiv:1703.06211, 1811.11168) out of torchvision's.

Derivatives recompute the forward pass under autograd. `im2col_step` and the buffers only concern
mmcv's own kernels.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torchvision
from torch import Tensor

from .gradients import write_grads
from .upcast import upcast


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **geometry: int,
) -> None:
    """Deformable convolution, into `output`."""
    conv = _deform_conv(geometry)
    output.copy_(conv(*map(upcast, (input, offset, weight))))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **geometry: int,
) -> None:
    """Gradients of its input and offsets, into the buffers given."""
    conv = _deform_conv(geometry)
    weight = upcast(weight)
    write_grads(
        lambda x, o: conv(x, o, weight), (input, offset), grad_output, (grad_input, grad_offset)
    )


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float,
    **geometry: int,
) -> None:
    """Gradient of its weight times `scale`, into the buffer given."""
    conv = _deform_conv(geometry)
    input, offset = upcast(input), upcast(offset)
    # Linear in the weight, so that any weight of this shape gives the derivative.
    write_grads(
        lambda w: conv(input, offset, w), (grad_weight,), grad_output * scale, (grad_weight,)
    )


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    **geometry: int,
) -> None:
    """Deformable convolution with a mask, into `output`."""
    conv = _modulated_deform_conv(geometry)
    output.copy_(conv(*map(upcast, (input, weight, bias, offset, mask))))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    **geometry: int,
) -> None:
    """All gradients of it, into the buffers given."""
    write_grads(
        _modulated_deform_conv(geometry),
        (input, weight, bias, offset, mask),
        grad_output,
        (grad_input, grad_weight, grad_bias, grad_offset, grad_mask),
    )


def _deform_conv(geometry: dict[str, int]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    g = geometry
    steps = dict(
        stride=(g['dH'], g['dW']),
        padding=(g['padH'], g['padW']),
        dilation=(g['dilationH'], g['dilationW']),
    )

    def conv(input: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
        _check_channels('offset', offset, weight, g['deformable_group'], each=2)
        offset = _hold_outside(offset, input.shape[2:], weight.shape[2:], **steps)
        return torchvision.ops.deform_conv2d(input, offset, weight, **steps)

    return conv


def _modulated_deform_conv(geometry: dict[str, int]) -> Callable[..., Tensor]:
    g = geometry
    steps = dict(
        stride=(g['stride_h'], g['stride_w']),
        padding=(g['pad_h'], g['pad_w']),
        dilation=(g['dilation_h'], g['dilation_w']),
    )

    def conv(input: Tensor, weight: Tensor, bias: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        _check_channels('offset', offset, weight, g['deformable_group'], each=2)
        _check_channels('mask', mask, weight, g['deformable_group'], each=1)
        size = [
            (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for side, kernel, stride, padding, dilation in zip(
                input.shape[2:], weight.shape[2:], *steps.values(), strict=True
            )
        ]
        offset, mask = _first_numbers('offset', offset, size), _first_numbers('mask', mask, size)
        offset = _hold_outside(offset, input.shape[2:], weight.shape[2:], **steps)
        bias = bias if g['with_bias'] else None
        return torchvision.ops.deform_conv2d(input, offset, weight, bias, **steps, mask=mask)

    return conv


def _check_channels(name: str, maps: Tensor, weight: Tensor, groups: int, each: int) -> None:
    expected = each * groups * weight.shape[2] * weight.shape[3]
    if maps.size(1) != expected:  # torchvision would take it for another number of groups
        raise ValueError(
            f'{name} has {maps.size(1)} channels; deform_groups={groups} and '
            f'kernel {tuple(weight.shape[2:])} need {expected}'
        )


def _first_numbers(name: str, maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (N, C, H, W) of another size, read as (N, C, *size) from the start of each image.

    mmcv's kernels never look at their height and width; DyHead (arXiv:2106.08322) passes a finer
    level's.
    """
    channels = maps.size(1)
    needed = channels * math.prod(size)
    if maps[0].numel() < needed:
        raise ValueError(
            f'{name} {tuple(maps.shape)} is smaller than the output: needs {channels} maps of '
            f'{size[0]}x{size[1]}'
        )
    return maps.flatten(1)[:, :needed].unflatten(1, (channels, *size))


def _hold_outside(
    offset: Tensor,
    map_size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """The same offsets (N, 2GK, H, W), without gradient where a point lies outside the map.

    A point at -1 or at the map's size lies outside. torchvision has a gradient at -1, where the
    outer points of a padded layer lie as long as its offsets are 0.
    """
    if not offset.requires_grad:
        return offset
    points = offset.unflatten(1, (-1, *kernel, 2))  # (N, G, kernel rows, columns, yx, H, W)
    inside = torch.ones((), dtype=torch.bool, device=offset.device)
    for axis in (0, 1):
        taps = torch.arange(kernel[axis], device=offset.device) * dilation[axis] - padding[axis]
        steps = torch.arange(offset.size(2 + axis), device=offset.device) * stride[axis]
        grid = taps[:, None] + steps
        grid = grid[:, None, :, None] if axis == 0 else grid[None, :, None, :]
        position = grid + points[:, :, :, :, axis]
        inside = inside & (position > -1) & (position < map_size[axis])
    return points.where(inside.unsqueeze(4), points.detach()).flatten(1, 4)

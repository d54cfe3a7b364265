"""Deformable convolution (arXiv:1703.06211, 1811.11168) and multi-scale deformable attention.

Derivatives recompute the forward pass under autograd. `im2col_step` and the buffers only concern
mmcv's own kernels.
"""

from collections.abc import Callable, Sequence

import torch
import torchvision
from torch import Tensor

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
    _write_grads(
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
    _write_grads(
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
    _write_grads(
        _modulated_deform_conv(geometry),
        (input, weight, bias, offset, mask),
        grad_output,
        (grad_input, grad_weight, grad_bias, grad_offset, grad_mask),
    )


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Output (N, queries, heads * channels) of values (N, keys, heads, channels).

    Computed by mmcv's own `multi_scale_deformable_attn_pytorch` (arXiv:2010.04159).
    """
    attend = _attention(spatial_shapes)
    output = attend(*map(upcast, (value, sampling_locations, attention_weights)))
    return output.to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Gradients of multi-scale deformable attention, into the buffers given."""
    _write_grads(
        _attention(spatial_shapes),
        (value, sampling_locations, attention_weights),
        grad_output,
        (grad_value, grad_sampling_loc, grad_attn_weight),
    )


def _deform_conv(geometry: dict[str, int]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    g = geometry

    def conv(input: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
        _check_offset(offset, weight, g['deformable_group'])
        return torchvision.ops.deform_conv2d(
            input,
            offset,
            weight,
            stride=(g['dH'], g['dW']),
            padding=(g['padH'], g['padW']),
            dilation=(g['dilationH'], g['dilationW']),
        )

    return conv


def _modulated_deform_conv(geometry: dict[str, int]) -> Callable[..., Tensor]:
    g = geometry

    def conv(input: Tensor, weight: Tensor, bias: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        _check_offset(offset, weight, g['deformable_group'])
        return torchvision.ops.deform_conv2d(
            input,
            offset,
            weight,
            bias if g['with_bias'] else None,
            stride=(g['stride_h'], g['stride_w']),
            padding=(g['pad_h'], g['pad_w']),
            dilation=(g['dilation_h'], g['dilation_w']),
            mask=mask,
        )

    return conv


def _check_offset(offset: Tensor, weight: Tensor, deform_groups: int) -> None:
    expected = 2 * deform_groups * weight.shape[2] * weight.shape[3]
    if offset.size(1) != expected:  # torchvision would take it for another number of groups
        raise ValueError(
            f'offset has {offset.size(1)} channels; deform_groups={deform_groups} and '
            f'kernel {tuple(weight.shape[2:])} need {expected}'
        )


def _attention(spatial_shapes: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    # mmcv.ops imports this package, hence not at the top.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    shapes = spatial_shapes.tolist()
    return lambda value, locations, weights: multi_scale_deformable_attn_pytorch(
        value, shapes, locations, weights
    )


def _write_grads(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    grad_output: Tensor,
    grads: Sequence[Tensor],
) -> None:
    """Derivatives of `function(*inputs)`, written into `grads`; unused inputs keep theirs."""
    with torch.enable_grad():
        leaves = [upcast(t).detach().requires_grad_() for t in inputs]
        results = torch.autograd.grad(
            function(*leaves), leaves, upcast(grad_output), allow_unused=True
        )
    for grad, result in zip(grads, results, strict=True):
        if result is not None:
            grad.copy_(result)

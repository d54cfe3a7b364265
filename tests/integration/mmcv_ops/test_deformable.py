"""Deformable ops through mmcv's wrappers, against slow references; a compiled mmcv passes too."""

import math

import pytest
import torch
from mmcv import ops
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F


def offsets_for(conv: torch.nn.Module, x: Tensor) -> Tensor:
    """Offsets of half a pixel or less, away from the kinks of the interpolation."""
    size = F.conv2d(
        x,
        x.new_zeros(1, x.size(1), *conv.kernel_size),
        None,
        conv.stride,
        conv.padding,
        conv.dilation,
    ).shape[2:]
    channels = conv.deform_groups * math.prod(conv.kernel_size)
    return x.new_empty(len(x), 2 * channels, *size).uniform_(0.1, 0.4)


CONV_GEOMETRY = [
    dict(kernel_size=3, padding=1),
    dict(kernel_size=(3, 1), stride=(2, 1), padding=(0, 1), dilation=(1, 2)),
    dict(kernel_size=2, groups=2, deform_groups=2),
]


@pytest.mark.parametrize('geometry', CONV_GEOMETRY, ids=['plain', 'uneven', 'grouped'])
@pytest.mark.parametrize('layer', [ops.DeformConv2d, ops.ModulatedDeformConv2d])
def test_deform_conv_without_offsets_is_a_convolution(
    layer: type, geometry: dict, device: str
) -> None:
    conv, x = layer(4, 6, **geometry).to(device), torch.randn(2, 4, 7, 6, device=device)
    inputs = [torch.zeros_like(offsets_for(conv, x))]
    if layer is ops.ModulatedDeformConv2d:
        inputs.append(torch.ones_like(inputs[0][:, ::2]))
        torch.nn.init.normal_(conv.bias)
    expected = F.conv2d(
        x,
        conv.weight,
        getattr(conv, 'bias', None),
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.groups,
    )
    torch.testing.assert_close(conv(x, *inputs), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('geometry', CONV_GEOMETRY, ids=['plain', 'uneven', 'grouped'])
def test_deform_conv_gradient(geometry: dict, device: str) -> None:
    conv = ops.DeformConv2d(2, 2, **geometry).double().to(device)
    x = torch.randn(2, 2, 4, 4, dtype=torch.double, device=device, requires_grad=True)
    offset = offsets_for(conv, x).detach().requires_grad_()
    arguments = (conv.stride, conv.padding, conv.dilation, conv.groups, conv.deform_groups)
    assert gradcheck(
        lambda *t: ops.deform_conv2d(*t, *arguments), (x, offset, conv.weight), nondet_tol=1e-12
    )


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('geometry', CONV_GEOMETRY, ids=['plain', 'uneven', 'grouped'])
def test_modulated_deform_conv_gradient(geometry: dict, bias: bool, device: str) -> None:
    conv = ops.ModulatedDeformConv2d(2, 2, bias=bias, **geometry).double().to(device)
    x = torch.randn(1, 2, 4, 4, dtype=torch.double, device=device, requires_grad=True)
    offset = offsets_for(conv, x).detach().requires_grad_()
    mask = torch.rand_like(offset[:, ::2]).requires_grad_()
    arguments = (conv.stride, conv.padding, conv.dilation, conv.groups, conv.deform_groups)
    assert gradcheck(
        lambda x, o, m, w: ops.modulated_deform_conv2d(x, o, m, w, conv.bias, *arguments),
        (x, offset, mask, conv.weight),
        nondet_tol=1e-12,
    )


def test_deform_conv_offset_of_another_group_count_is_refused() -> None:
    with pytest.raises(ValueError, match='deform_groups=1'):
        ops.deform_conv2d(
            torch.zeros(1, 2, 4, 4), torch.zeros(1, 36, 2, 2), torch.zeros(2, 2, 3, 3)
        )


def test_ms_deform_attn_function_equals_mmcvs_fallback(device: str) -> None:
    """mmcv calls this function on CUDA and its own fallback on the CPU."""
    from mmcv.ops.multi_scale_deform_attn import (
        MultiScaleDeformableAttnFunction,
        multi_scale_deformable_attn_pytorch,
    )

    shapes = torch.tensor([[4, 3], [2, 2]], device=device)
    value = torch.randn(2, 16, 2, 4, dtype=torch.double, device=device, requires_grad=True)
    locations = torch.rand(2, 5, 2, 2, 3, 2, dtype=torch.double, device=device, requires_grad=True)
    weights = torch.rand(2, 5, 2, 2, 3, dtype=torch.double, device=device, requires_grad=True)
    leaves = (value, locations, weights)
    ours = MultiScaleDeformableAttnFunction.apply(
        value, shapes, shapes.new_tensor([0, 12]), locations, weights, 64
    )
    theirs = multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours.square().sum(), leaves),
        torch.autograd.grad(theirs.square().sum(), leaves),
    )

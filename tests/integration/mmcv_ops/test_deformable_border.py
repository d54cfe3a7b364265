"""Deformable convolutions whose points meet the border, against nested loops; mmcv's numbers."""

import math
from itertools import product

import pytest
import torch
from mmcv import ops
from torch import Tensor

GEOMETRY = {
    'padded': dict(kernel_size=3, padding=1),
    'uneven': dict(kernel_size=(3, 1), stride=(2, 1), padding=(0, 1), dilation=(1, 2)),
    'grouped': dict(kernel_size=2, padding=1, groups=2, deform_groups=2),
}
OFFSETS = {
    'zero': lambda size: torch.zeros(size),
    'whole pixels': lambda size: torch.randint(-3, 4, size),
    'halves': lambda size: torch.randint(-6, 7, size) / 2,
}


def sampled(image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Values (C,) of an image (C, H, W) at a point, 0 and constant from -1 and H, W outwards."""
    height, width = image.shape[1:]
    if not (-1 < y < height and -1 < x < width):
        return image.new_zeros(len(image))
    rows, columns = ((int(p.floor()), int(p.floor()) + 1) for p in (y.detach(), x.detach()))
    total = image.new_zeros(len(image))
    for r, c in product(rows, columns):
        if 0 <= r < height and 0 <= c < width:
            row_weight = rows[1] - y if r == rows[0] else y - rows[0]
            column_weight = columns[1] - x if c == columns[0] else x - columns[0]
            total = total + image[:, r, c] * row_weight * column_weight
    return total


def slow_deform_conv(
    conv: torch.nn.Module, x: Tensor, offset: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Reads offsets and masks by their place in memory, with the height and width of the output."""
    size = output_size(conv, x)
    area, taps, groups = math.prod(size), math.prod(conv.kernel_size), conv.deform_groups
    columns = []
    for n, group, tap, row, column in product(
        range(len(x)), range(groups), range(taps), range(size[0]), range(size[1])
    ):
        place = row * size[1] + column
        index = group * taps + tap
        start = [
            out * stride - padding + step * dilation
            for out, stride, padding, step, dilation in zip(
                (row, column),
                conv.stride,
                conv.padding,
                divmod(tap, conv.kernel_size[1]),
                conv.dilation,
                strict=True,
            )
        ]
        y, x_position = (
            start[axis] + offset[n].flatten()[(2 * index + axis) * area + place] for axis in (0, 1)
        )
        values = sampled(x[n].chunk(groups)[group], y, x_position)
        columns.append(values if mask is None else values * mask[n].flatten()[index * area + place])
    columns = torch.stack(columns).view(len(x), groups, taps, *size, -1).movedim(-1, 2)
    columns = columns.reshape(len(x), conv.groups, -1, *size)  # (N, groups, C / groups * taps, ...)
    weight = conv.weight.flatten(1).unflatten(0, (conv.groups, -1))
    return torch.einsum('goc,ngchw->ngohw', weight, columns).flatten(1, 2)


def output_size(conv: torch.nn.Module, x: Tensor) -> list[int]:
    plain = torch.nn.functional.conv2d
    kernel = x.new_zeros(1, x.size(1), *conv.kernel_size)
    return list(plain(x, kernel, None, conv.stride, conv.padding, conv.dilation).shape[2:])


def maps_for(conv: torch.nn.Module, x: Tensor, kind: str, larger: int = 0) -> list[Tensor]:
    """Offsets of one kind, and masks where the layer has them; `larger` than the output."""
    channels = conv.deform_groups * math.prod(conv.kernel_size)
    height, width = output_size(conv, x)
    size = (len(x), 2 * channels, height + larger, width + 2 * larger)
    offset = OFFSETS[kind](size).to(x)
    if isinstance(conv, ops.DeformConv2d):
        return [offset]
    return [offset, torch.rand_like(offset[:, ::2])]


@pytest.mark.parametrize('offsets', OFFSETS)
@pytest.mark.parametrize('geometry', GEOMETRY)
@pytest.mark.parametrize(
    'layer, larger',
    [(ops.DeformConv2d, 0), (ops.ModulatedDeformConv2d, 0), (ops.ModulatedDeformConv2d, 2)],
    ids=['plain', 'modulated', 'modulated by larger maps'],
)
def test_values_and_gradients_equal_nested_loops(
    layer: type, larger: int, geometry: str, offsets: str, device: str
) -> None:
    conv = layer(2, 2, **GEOMETRY[geometry]).double().to(device)
    x = torch.randn(2, 2, 4, 3, dtype=torch.double, device=device)
    leaves = [t.requires_grad_() for t in (x, *maps_for(conv, x, offsets, larger))]
    ours, expected = conv(*leaves), slow_deform_conv(conv, *leaves)
    leaves.append(conv.weight)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(
        torch.autograd.grad(ours.square().sum(), leaves),
        torch.autograd.grad(expected.square().sum(), leaves),
    )


@pytest.mark.parametrize('small', [0, 1], ids=['offset', 'mask'])
def test_maps_with_too_few_numbers_are_refused(small: int) -> None:
    maps = [torch.zeros(1, 18, 4, 4), torch.zeros(1, 9, 4, 4)]
    maps[small] = maps[small][:, :, :3]
    with pytest.raises(ValueError, match='smaller than the output.*4x4'):
        ops.modulated_deform_conv2d(
            torch.zeros(1, 2, 4, 4), *maps, torch.zeros(2, 2, 3, 3), None, 1, 1
        )


def test_modulated_layer_gives_the_numbers_of_mmcvs_test(device: str) -> None:
    """tests/test_ops/test_modulated_deform_conv.py of mmcv 2.1.0: all offsets start at 0."""
    conv = ops.ModulatedDeformConv2dPack(1, 1, 2, padding=1, bias=False).to(device)
    torch.nn.init.ones_(conv.weight)
    x = torch.tensor([1.0, 2, 3], device=device).expand(1, 1, 3, 3).clone().requires_grad_()
    output = conv(x)
    output.sum().backward()
    expected = {
        output: [0.5, 1.5, 2.5, 1.5, 1, 3, 5, 3, 1, 3, 5, 3, 0.5, 1.5, 2.5, 1.5],
        x.grad: [2.0] * 9,
        conv.weight.grad: [9.0] * 4,
        conv.conv_offset.bias.grad: [-3, -1.5] * 4 + [4.5] * 4,
        conv.conv_offset.weight.grad: MODULATED_OFFSET_WEIGHT_GRAD,
    }
    for ours, numbers in expected.items():
        torch.testing.assert_close(ours.flatten().cpu(), torch.tensor(numbers))


# fmt: off
MODULATED_OFFSET_WEIGHT_GRAD = [
    -7.0, -4, 0, 0, -9, 7.5, -6, 5, -4, -7, 0, 0, -7.5, -9, -5, -6,
    -7, -4, -7, -4, -6, 5, -9, 7.5, -4, -7, -4, -7, -5, -6, -7.5, -9,
    10.5, 6, 7, 4, 6, 10.5, 4, 7, 7, 4, 10.5, 6, 4, 7, 6, 10.5,
]
OFFSET_WEIGHT = [
    0.1, 0.4, 0.6, 0.1, 0.3, 0.2, 0.1, 0.3, 0.5, 0.5, 0.2, 0.8, 0.8, 0.3, 0.9, 0.1,
    0.3, 0.1, 0.2, 0.5, 0.3, 0.7, 0.5, 0.3, 0.6, 0.2, 0.5, 0.3, 0.4, 0.1, 0.8, 0.4,
]
OFFSET_WEIGHT_GRAD = [
    1.44, 2.88, 0, 1.44, -0.72, -1.44, 0, -0.72, 0, 0, 0, 0, 0, 0, 0, 0,
    -0.1, -0.2, 0, -0.1, -0.08, -0.16, 0, -0.08, -0.54, -1.08, 0, -0.54, -0.54, -1.08, 0, -0.54,
]
# fmt: on


def test_layer_gives_the_numbers_of_mmcvs_test(device: str) -> None:
    """tests/test_ops/test_deform_conv.py of mmcv 2.1.0."""
    conv = ops.DeformConv2dPack(1, 1, 2).to(device)
    offset_bias = [0.7, 0.1, 0.8, 0.5, 0.6, 0.5, 0.4, 0.7]
    for parameter, numbers in {
        conv.weight: [0.4, 0.2, 0.1, 0.9],
        conv.conv_offset.weight: OFFSET_WEIGHT,
        conv.conv_offset.bias: offset_bias,
    }.items():
        parameter.data.copy_(torch.tensor(numbers).view_as(parameter))
    x = torch.tensor([1.0, 2, 3, 0, 1, 2, 3, 5, 2], device=device).view(1, 1, 3, 3)
    output = conv(x.requires_grad_())
    output.sum().backward()
    expected = {
        output: [1.65, 0, 0, 0],
        x.grad: [-0.666, 0.204, 0, 0.03, -0.416, 0.012, 0, 0.252, 0.129],
        conv.weight.grad: [3.62, 0, 0.4, 0.18],
        conv.conv_offset.bias.grad: [1.44, -0.72, 0, 0, -0.1, -0.08, -0.54, -0.54],
        conv.conv_offset.weight.grad: OFFSET_WEIGHT_GRAD,
    }
    for ours, numbers in expected.items():
        torch.testing.assert_close(ours.flatten().cpu(), torch.tensor(numbers), rtol=0, atol=1e-5)

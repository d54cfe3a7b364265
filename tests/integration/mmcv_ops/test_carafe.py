"""Upsampling by predicted kernels through mmcv's wrappers, against nested loops."""

from itertools import product

import mmcv._ext
import pytest
import torch
from mmcv import ops
from torch import Tensor
from torch.autograd import gradcheck

GEOMETRY = [(1, 1, 1), (3, 2, 2), (5, 1, 2), (3, 4, 3)]  # kernel, groups, scale


def leaves(kernel: int, groups: int, scale: int, device: str) -> tuple[Tensor, Tensor]:
    shapes = ((2, 4, 3, 2), (2, groups * kernel**2, 3 * scale, 2 * scale))
    return tuple(
        torch.randn(shape, dtype=torch.double, device=device, requires_grad=True)
        for shape in shapes
    )


def slow_carafe(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int) -> Tensor:
    n, channels, height, width = features.shape
    output = masks.new_zeros(n, channels, height * scale, width * scale)
    for i, c, y, x in product(*map(range, output.shape)):
        group = c // (channels // groups)
        for a, b in product(range(kernel), repeat=2):
            row, column = y // scale + a - kernel // 2, x // scale + b - kernel // 2
            if 0 <= row < height and 0 <= column < width:
                place = (group * kernel + a) * kernel + b
                output[i, c, y, x] += features[i, c, row, column] * masks[i, place, y, x]
    return output


@pytest.mark.parametrize('op', [ops.carafe, ops.carafe_naive])
@pytest.mark.parametrize('geometry', GEOMETRY)
def test_upsampling_equals_nested_loops(op, geometry: tuple, device: str) -> None:
    features, masks = (t.detach() for t in leaves(*geometry, device))
    expected = slow_carafe(features, masks, *geometry)
    torch.testing.assert_close(op(features, masks, *geometry), expected)


@pytest.mark.parametrize('geometry', GEOMETRY)
def test_gradients(geometry: tuple, device: str) -> None:
    inputs = leaves(*geometry, device)
    assert gradcheck(lambda f, m: ops.carafe(f, m, *geometry), inputs, fast_mode=True)


def test_the_naive_form_has_the_same_gradients(device: str) -> None:
    """mmcv's wrapper allows its backward pass on CUDA only; this is the function below it."""
    features, masks = leaves(3, 2, 2, device)
    output = ops.carafe(features, masks, 3, 2, 2)
    grad = torch.randn_like(output)
    grads = torch.zeros_like(features), torch.zeros_like(masks)
    mmcv._ext.carafe_naive_backward(
        grad, features, masks, *grads, kernel_size=3, group_size=2, scale_factor=2
    )
    torch.testing.assert_close(grads, torch.autograd.grad(output, (features, masks), grad))

"""RoI pooling through mmcv's wrappers, against slow references; a compiled mmcv passes too."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmcv import ops
from torch import Tensor
from torch.autograd import gradcheck


def random_rois(n: int, images: int = 2, size: float = 24) -> Tensor:
    corner = torch.rand(n, 2) * size
    boxes = torch.cat([corner, corner + torch.rand(n, 2) * size / 2], 1)
    return torch.cat([torch.randint(images, (n, 1)).float(), boxes], 1)


def bilinear(plane: Tensor, y: float, x: float) -> float:
    """Value at (y, x); clamped to the border within one pixel, 0 beyond."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    total = 0.0
    for row in {int(y), min(int(y) + 1, height - 1)}:
        for column in {int(x), min(int(x) + 1, width - 1)}:
            total += float(plane[row, column]) * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def slow_roi_align(
    maps: Tensor,
    rois: Tensor,
    size: int,
    scale: float,
    sampling_ratio: int,
    pool: Callable,
    aligned: bool,
) -> Tensor:
    output = torch.zeros(len(rois), maps.size(1), size, size)
    for k, (batch, *corners) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (c * scale - aligned / 2 for c in corners)
        h, w = ((s if aligned else max(s, 1)) / size for s in (y2 - y1, x2 - x1))
        rows, columns = (sampling_ratio or math.ceil(s) for s in (h, w))
        for c, plane in enumerate(maps[int(batch)]):
            for i in range(size):
                for j in range(size):
                    output[k, c, i, j] = pool(
                        [
                            bilinear(
                                plane,
                                y1 + (i + (a + 0.5) / rows) * h,
                                x1 + (j + (b + 0.5) / columns) * w,
                            )
                            for a in range(rows)
                            for b in range(columns)
                        ]
                    )
    return output


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
@pytest.mark.parametrize('mode, pool', [('avg', np.mean), ('max', max)])
def test_roi_align_equals_nested_loops(
    device: str, mode: str, pool: Callable, sampling_ratio: int, aligned: bool
) -> None:
    maps, rois = torch.randn(2, 2, 12, 10), random_rois(8)
    layer = ops.RoIAlign(3, 0.5, sampling_ratio, mode, aligned)
    expected = slow_roi_align(maps, rois, 3, 0.5, sampling_ratio, pool, aligned)
    torch.testing.assert_close(layer(maps.to(device), rois.to(device)).cpu(), expected)


def test_roi_align_agrees_with_its_torchvision_option() -> None:
    maps, rois = torch.randn(2, 3, 16, 16), random_rois(9)
    ours, theirs = (ops.RoIAlign(4, 0.5, use_torchvision=flag)(maps, rois) for flag in (0, 1))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_roi_align_gradient(device: str, mode: str, sampling_ratio: int) -> None:
    maps = torch.randn(2, 1, 6, 6, dtype=torch.double, device=device, requires_grad=True)
    rois = random_rois(5, size=10).double().to(device)
    assert gradcheck(
        lambda x: ops.roi_align(x, rois, 2, 0.5, sampling_ratio, mode, True), maps, nondet_tol=1e-12
    )


def slow_roi_pool(maps: Tensor, rois: Tensor, size: int, scale: float) -> Tensor:
    height, width = maps.shape[2:]
    output = torch.zeros(len(rois), maps.size(1), size, size)
    for k, (batch, x1, y1, x2, y2) in enumerate(rois.tolist()):
        h, w = ((high + 1 - low) * scale / size for low, high in ((y1, y2), (x1, x2)))
        for i in range(size):
            for j in range(size):
                rows = [math.floor(y1 * scale + i * h), math.ceil(y1 * scale + (i + 1) * h)]
                columns = [math.floor(x1 * scale + j * w), math.ceil(x1 * scale + (j + 1) * w)]
                patch = maps[
                    int(batch),
                    :,
                    slice(*np.clip(rows, 0, height)),
                    slice(*np.clip(columns, 0, width)),
                ]
                if patch.numel():
                    output[k, :, i, j] = patch.amax((1, 2))
    return output


def test_roi_pool_equals_nested_loops(device: str) -> None:
    maps = torch.randn(2, 3, 12, 10)
    outside, reversed_ = [0, 100, 100, 120, 120], [1, 9, 9, 2, 2]
    rois = torch.cat([random_rois(12), torch.tensor([outside, reversed_])])
    output = ops.RoIPool(3, 0.5)(maps.to(device), rois.to(device)).cpu()
    torch.testing.assert_close(output[:-1], slow_roi_pool(maps, rois[:-1], 3, 0.5))
    assert not output[-1].any()


def test_roi_pool_gradient(device: str) -> None:
    maps = torch.randn(2, 2, 6, 6, dtype=torch.double, device=device, requires_grad=True)
    rois = random_rois(5, size=10).double().to(device)
    assert gradcheck(lambda x: ops.roi_pool(x, rois, 2, 0.5), maps, nondet_tol=1e-12)


@pytest.mark.parametrize(
    'layer',
    [ops.RoIAlign(2), ops.RoIAlign(2, pool_mode='max'), ops.RoIPool(2)],
    ids=['align', 'align_max', 'pool'],
)
def test_roi_layers_without_rois(layer: torch.nn.Module) -> None:
    maps = torch.randn(1, 4, 5, 5, requires_grad=True)
    output = layer(maps, torch.zeros(0, 5))
    output.sum().backward()
    assert output.shape == (0, 4, 2, 2) and not maps.grad.any()

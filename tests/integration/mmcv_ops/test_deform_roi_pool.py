"""Deformable RoI pooling through mmcv's wrapper, against nested loops and mmcv's numbers."""

import math

import pytest
import torch
from mmcv import ops
from test_roi_pooling import random_rois
from torch import Tensor
from torch.autograd import gradcheck

ROWS = [[1.0, 2, 5, 6], [3, 4, 7, 8], [9, 10, 13, 14], [11, 12, 15, 16]]
# tests/test_ops/test_deform_roi_pool.py of mmcv 2.1.0: map, side of the RoI at (0, 0), output in
# 2x2 bins of 2x2 samples, gradient of the map.
NUMBERS = [
    ([[1.0, 2], [3, 4]], 1, [1, 1.25, 1.5, 1.75], [3.0625, 0.4375, 0.4375, 0.0625]),
    ([[4.0, 3], [2, 1]], 1, [4, 3.75, 3.5, 3.25], [3.0625, 0.4375, 0.4375, 0.0625]),
    (
        ROWS,
        3,
        [1.9375, 4.75, 7.5625, 10.375],
        [a * b for a in (11, 10, 10, 1) for b in (11 / 256, 10 / 256, 10 / 256, 1 / 256)],
    ),
]


@pytest.mark.parametrize('rows, side, output, grad', NUMBERS, ids=['1x1', 'falling', '3x3'])
def test_pooling_gives_the_numbers_of_mmcvs_test(
    rows: list, side: int, output: list, grad: list, device: str
) -> None:
    maps = torch.tensor([[rows]], device=device, requires_grad=True)
    rois = torch.tensor([[0.0, 0, 0, side, side]], device=device)
    layer = ops.DeformRoIPoolPack(2, 1, sampling_ratio=2).to(device)
    pooled = layer(maps, rois)
    pooled.sum().backward()
    torch.testing.assert_close(pooled.flatten().cpu(), torch.tensor(output, dtype=torch.float))
    torch.testing.assert_close(maps.grad.flatten().cpu(), torch.tensor(grad))


def slow_bilinear(plane: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Value at (y, x), held to the border within one pixel, 0 beyond."""
    if not (-1 <= y <= plane.size(0) and -1 <= x <= plane.size(1)):
        return plane.new_zeros(())
    y, x = (p.clamp(0, size - 1) for p, size in zip((y, x), plane.shape, strict=True))
    total = plane.new_zeros(())
    for row in {int(y), min(int(y) + 1, plane.size(0) - 1)}:
        for column in {int(x), min(int(x) + 1, plane.size(1) - 1)}:
            total = total + plane[row, column] * (1 - (y - row).abs()) * (1 - (x - column).abs())
    return total


def slow_pool(
    maps: Tensor, rois: Tensor, offset: Tensor, size: tuple, scale: float, ratio: int, gamma: float
) -> Tensor:
    values = []
    for (image, *corners), moves in zip(rois, offset, strict=True):
        x1, y1, x2, y2 = (c * scale - 0.5 for c in corners)
        h, w = (y2 - y1) / size[0], (x2 - x1) / size[1]
        rows, columns = (ratio or max(math.ceil(s), 0) for s in (h, w))
        for plane in maps[int(image)]:
            for i in range(size[0]):
                for j in range(size[1]):
                    top = y1 + gamma * (y2 - y1) * moves[1, i, j] + i * h
                    left = x1 + gamma * (x2 - x1) * moves[0, i, j] + j * w
                    samples = [
                        slow_bilinear(
                            plane, top + (a + 0.5) * h / rows, left + (b + 0.5) * w / columns
                        )
                        for a in range(rows)
                        for b in range(columns)
                    ]
                    values.append(sum(samples, plane.new_zeros(())) / max(len(samples), 1))
    return torch.stack(values).view(len(rois), maps.size(1), *size)


@pytest.mark.parametrize('sampling_ratio', [0, 2])
@pytest.mark.parametrize('moved', [False, True])
def test_pooling_equals_nested_loops(moved: bool, sampling_ratio: int, device: str) -> None:
    maps = torch.randn(2, 2, 12, 10, dtype=torch.double)
    reversed_in_x = torch.tensor([[1.0, 9, 2, 3, 8]])
    rois = torch.cat([random_rois(7), reversed_in_x]).double()
    offset = torch.randn(8, 2, 3, 2).double() * moved
    geometry = ((3, 2), 0.5, sampling_ratio, 0.5)
    ours = ops.deform_roi_pool(
        maps.to(device), rois.to(device), offset.to(device) if moved else None, *geometry
    )
    torch.testing.assert_close(ours.cpu(), slow_pool(maps, rois, offset, *geometry))


@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_gradients_inside_the_map(sampling_ratio: int, device: str) -> None:
    maps = torch.randn(2, 2, 9, 9, dtype=torch.double, device=device, requires_grad=True)
    rois = torch.tensor([[0.0, 2, 3, 6, 6], [1, 3.3, 2.2, 6.4, 7], [1, 4, 2, 5, 6]], device=device)
    offset = torch.randn(3, 2, 2, 2, dtype=torch.double, device=device, requires_grad=True)
    assert gradcheck(
        lambda m, o: ops.deform_roi_pool(m, rois.double(), o, (2, 2), 1.0, sampling_ratio, 0.1),
        (maps, offset),
        nondet_tol=1e-12,
    )


def test_offset_gradient_within_a_pixel_outside_is_that_of_the_line_continued(device: str) -> None:
    """The value is held there, and mmcv's kernel moves the offset as if it were not."""
    maps = torch.tensor([[[[1.0, 2, 4], [3, 7, 8], [0, 0, 0]]]], device=device, requires_grad=True)
    rois = torch.tensor([[0, 0.75, -0.5, 1.75, 0.5]], device=device)
    offset = torch.zeros(1, 2, 1, 1, device=device, requires_grad=True)
    # One sample at y -0.5, x 0.75, between the columns 0 and 1 of the rows 0 and 1.
    pooled = ops.deform_roi_pool(maps, rois, offset, (1, 1), 1.0, 1, 1.0)
    pooled.sum().backward()
    along_x = (7 - 3) * -0.5 + (2 - 1) * 1.5
    along_y = (7 - 2) * 0.75 + (3 - 1) * 0.25
    assert pooled.item() == 0.25 * 1 + 0.75 * 2
    assert offset.grad.flatten().tolist() == [along_x, along_y]


def test_pooling_of_no_rois(device: str) -> None:
    maps = torch.randn(1, 4, 5, 5, device=device, requires_grad=True)
    pooled = ops.deform_roi_pool(maps, torch.zeros(0, 5, device=device), None, (2, 2))
    pooled.sum().backward()
    assert pooled.shape == (0, 4, 2, 2) and not maps.grad.any()

"""RoI align over rotated boxes through mmcv's layer, against nested loops and mmcv's numbers."""

import math

import pytest
import torch
from mmcv import ops
from test_deform_roi_pool import NUMBERS, slow_bilinear
from torch import Tensor
from torch.autograd import gradcheck


@pytest.mark.parametrize('rows, side, output, grad', NUMBERS, ids=['1x1', 'falling', '3x3'])
@pytest.mark.parametrize('turned', [False, True])
def test_pooling_gives_the_numbers_of_mmcvs_test(
    turned: bool, rows: list, side: int, output: list, grad: list, device: str
) -> None:
    """tests/test_ops/test_roi_align_rotated.py of mmcv 2.1.0: the boxes of deformable pooling."""
    maps = torch.tensor([[rows]], device=device, requires_grad=True)
    angle = math.pi / 2 if turned else 0
    rois = torch.tensor([[0, side / 2, side / 2, side, side, angle]], device=device)
    pooled = ops.RoIAlignRotated(2, 1.0, 2)(maps, rois)
    pooled.sum().backward()
    expected = torch.tensor(output, dtype=torch.float).view(2, 2)
    torch.testing.assert_close(pooled[0, 0].cpu(), expected.rot90(-1) if turned else expected)
    torch.testing.assert_close(maps.grad.flatten().cpu(), torch.tensor(grad))


def random_rois(n: int) -> Tensor:
    rois = torch.rand(n, 6, dtype=torch.double) * 18
    rois[:, 0] = torch.randint(2, (n,))
    return rois


def slow_pool(
    maps: Tensor, rois: Tensor, size: int, scale: float, ratio: int, aligned: bool, clockwise: bool
) -> Tensor:
    values = []
    for image, *centre, w, h, angle in rois:
        cx, cy = (c * scale - 0.5 * aligned for c in centre)
        w, h = (s * scale if aligned else max(s * scale, s.new_tensor(1.0)) for s in (w, h))
        angle = -angle if clockwise else angle
        rows, columns = (ratio or math.ceil(s / size) for s in (h, w))
        for plane in maps[int(image)]:
            for i in range(size):
                for j in range(size):
                    samples = []
                    for a in range(rows):
                        for b in range(columns):
                            y = -h / 2 + (i + (a + 0.5) / rows) * h / size
                            x = -w / 2 + (j + (b + 0.5) / columns) * w / size
                            turned_y = y * angle.cos() - x * angle.sin() + cy
                            turned_x = y * angle.sin() + x * angle.cos() + cx
                            samples.append(slow_bilinear(plane, turned_y, turned_x))
                    values.append(sum(samples) / len(samples))
    return torch.stack(values).view(len(rois), maps.size(1), size, size)


@pytest.mark.parametrize('clockwise', [False, True])
@pytest.mark.parametrize('aligned', [False, True])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_pooling_equals_nested_loops(
    sampling_ratio: int, aligned: bool, clockwise: bool, device: str
) -> None:
    maps, rois = torch.randn(2, 2, 8, 9, dtype=torch.double), random_rois(5)
    geometry = (2, 0.5, sampling_ratio, aligned, clockwise)
    ours = ops.roi_align_rotated(maps.to(device), rois.to(device), *geometry)
    torch.testing.assert_close(ours.cpu(), slow_pool(maps, rois, *geometry))


@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_gradient(sampling_ratio: int, device: str) -> None:
    maps = torch.randn(2, 1, 6, 6, dtype=torch.double, device=device, requires_grad=True)
    rois = random_rois(4).to(device)
    assert gradcheck(
        lambda x: ops.roi_align_rotated(x, rois, 2, 0.5, sampling_ratio), maps, nondet_tol=1e-12
    )


def test_upright_boxes_give_roi_align(device: str) -> None:
    maps = torch.randn(2, 3, 9, 9, device=device)
    upright = torch.tensor([[0, 1.3, 2.1, 9.7, 15.2], [1, 4.0, 4, 8, 8]], device=device)
    rotated = torch.cat(
        [upright[:, :1], (upright[:, 1:3] + upright[:, 3:]) / 2, upright[:, 3:] - upright[:, 1:3]],
        dim=1,
    )
    rotated = torch.cat([rotated, torch.zeros_like(rotated[:, :1])], dim=1)
    ours = ops.roi_align_rotated(maps, rotated, 3, 0.5)
    torch.testing.assert_close(ours, ops.roi_align(maps, upright, 3, 0.5))


@pytest.mark.parametrize('value', [math.nan, math.inf, -5.0])
@pytest.mark.parametrize('place', range(1, 6))
def test_bad_rois_give_finite_values(place: int, value: float, device: str) -> None:
    rois = torch.tensor([[0, 4.0, 4, 5, 5, 0.3]], device=device)
    rois[0, place] = value
    maps = torch.rand(1, 2, 8, 8, device=device)
    assert ops.roi_align_rotated(maps, rois, 2, 1.0).isfinite().all()

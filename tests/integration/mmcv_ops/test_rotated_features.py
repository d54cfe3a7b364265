"""What R3Det and S2ANet take from mmcv besides, and points in polygons, against slow references."""

import math
from itertools import product

import pytest
import torch
from mmcv import ops
from test_deform_roi_pool import slow_bilinear
from torch.autograd import gradcheck
from versions import needs_mmcv_2_1

# tests/test_ops/test_points_in_polygons.py of mmcv 2.1.0
POINTS = [[300.0, 300], [400, 400], [100, 100], [300, 250], [100, 0]]
POLYGONS = [
    [200.0, 200, 400, 400, 500, 200, 400, 100],
    [400, 400, 500, 500, 600, 300, 500, 200],
    [300, 300, 600, 700, 700, 700, 700, 100],
]
INSIDE = [[0, 0, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 0, 0]]


@needs_mmcv_2_1
def test_points_in_polygons_are_those_of_mmcvs_test(device: str) -> None:
    points, polygons = (torch.tensor(t, device=device) for t in (POINTS, POLYGONS))
    assert ops.points_in_polygons(points, polygons).tolist() == INSIDE


@needs_mmcv_2_1
def test_points_in_a_square(device: str) -> None:
    """Inside, left, right, above and below."""
    points = torch.tensor([[1.0, 1], [-1, 1], [3, 1], [1, 3], [1, -1]], device=device)
    square = torch.tensor([[0.0, 0, 2, 0, 2, 2, 0, 2]], device=device)
    assert ops.points_in_polygons(points, square).flatten().tolist() == [1, 0, 0, 0, 0]


# The eight places around the middle of a 3x3 filter, in order, and their turns by 45 degrees.
RING = [1, 2, 3, 6, 9, 8, 7, 4]


def turns(device: str) -> torch.Tensor:
    place = {entry: [RING[(i + turn) % 8] for turn in range(8)] for i, entry in enumerate(RING)}
    indices = [place.get(entry, [5] * 8) for entry in range(1, 10)]
    return torch.tensor(indices, dtype=torch.int, device=device).view(1, 3, 3, 8)


def test_filters_turn_in_steps_of_45_degrees(device: str) -> None:
    filters = torch.arange(1.0, 19, device=device).view(2, 1, 1, 3, 3)
    turned = ops.active_rotated_filter(filters, turns(device))
    assert turned.shape == (16, 1, 3, 3)
    assert torch.equal(turned[::8], filters[:, 0])
    assert turned[1, 0].tolist() == [[4, 1, 2], [7, 5, 3], [8, 9, 6]]
    assert torch.equal(turned[2::8, 0], filters[:, 0, 0].rot90(-1, dims=(1, 2)))


def test_gradient_of_turned_filters(device: str) -> None:
    filters = torch.randn(2, 3, 1, 3, 3, dtype=torch.double, device=device, requires_grad=True)
    assert gradcheck(lambda f: ops.active_rotated_filter(f, turns(device)), filters)


def aligned_inputs(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    features = torch.randn(2, 2, 4, 5, dtype=torch.double, device=device, requires_grad=True)
    boxes = torch.rand(2, 4, 5, 5, dtype=torch.double, device=device) * 40 - 4
    return features, boxes


@pytest.mark.parametrize('points', [1, 5])
def test_aligned_features_equal_nested_loops(points: int, device: str) -> None:
    features, boxes = (t.detach() for t in aligned_inputs(device))
    expected = features.clone()
    for n, c, i, j in product(*map(range, features.shape)):
        y, x, w, h, angle = boxes[n, i, j].tolist()
        for a, b in [(0, 0), (1, 1), (-1, 1), (-1, -1), (1, -1)][:points]:
            sample_x = x / 8 + (a * w * math.cos(angle) - b * h * math.sin(angle)) / 16
            sample_y = y / 8 + (a * w * math.sin(angle) + b * h * math.cos(angle)) / 16
            sample = torch.tensor([sample_y, sample_x], dtype=torch.double)
            expected[n, c, i, j] += slow_bilinear(features[n, c], *sample)
    for shaped in (boxes, boxes.flatten(0, 2)):
        ours = ops.rotated_feature_align(features, shaped, 1 / 8, points)
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize('points', [1, 5])
def test_gradient_of_aligned_features(points: int, device: str) -> None:
    features, boxes = aligned_inputs(device)
    assert gradcheck(
        lambda f: ops.rotated_feature_align(f, boxes, 1 / 8, points), features, nondet_tol=1e-12
    )

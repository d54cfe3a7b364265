"""mmcv's differentiable IoU of rotated boxes on our order of vertices, and mmcv's numbers."""

import math

import pytest
import torch
from mmcv import ops
from test_rotated import random_boxes
from torch.autograd import gradcheck

UNIT = [0.5, 0.5, 1, 1, 0]
# tests/test_ops/test_diff_iou_rotated.py of mmcv 2.1.0
FLAT = [
    (UNIT, UNIT, 1),
    (UNIT, [0.5, 0.5, 1, 1, math.pi / 2], 1),
    (UNIT, [0.5, 0.5, 1, 1, math.pi / 4], 0.7071),
    (UNIT, [1, 1, 1, 1, 0], 1 / 7),
    (UNIT, [1.5, 1.5, 1, 1, 0], 0),
]
CUBE = [0.5, 0.5, 0.5, 1, 1, 1, 0]
SOLID = [
    (CUBE, CUBE, 1),
    (CUBE, [0.5, 0.5, 0.5, 1, 1, 2, math.pi / 2], 0.5),
    (CUBE, [0.5, 0.5, 0.5, 1, 1, 1, math.pi / 4], 0.7071),
    (CUBE, [1, 1, 1, 1, 1, 1, 0], 1 / 15),
    (CUBE, [-1.5, -1.5, -1.5, 2.5, 2.5, 2.5, 0], 0),
]


@pytest.mark.parametrize(
    'op, cases', [(ops.diff_iou_rotated_2d, FLAT), (ops.diff_iou_rotated_3d, SOLID)]
)
def test_ious_are_the_numbers_of_mmcvs_test(op, cases: list, device: str) -> None:
    first, second, expected = (torch.tensor([c], device=device) for c in zip(*cases, strict=True))
    torch.testing.assert_close(op(first.float(), second.float()), expected, rtol=0, atol=1e-4)


def test_ious_equal_those_of_clipped_polygons(device: str) -> None:
    first, second = (random_boxes(200).to(device)[None] for _ in range(2))
    expected = ops.box_iou_rotated(first[0], second[0], aligned=True)
    assert (expected > 0).sum() > 50
    torch.testing.assert_close(ops.diff_iou_rotated_2d(first, second)[0], expected)


def test_gradient(device: str) -> None:
    first = torch.tensor([[[2.0, 3, 4, 2, 0.3], [1, 1, 3, 3, 1.2]]], dtype=torch.double)
    second = torch.tensor([[[2.5, 2, 3, 5, 0.9], [1.4, 1.3, 2, 6, 0.1]]], dtype=torch.double)
    boxes = [b.to(device).requires_grad_() for b in (first, second)]
    assert gradcheck(ops.diff_iou_rotated_2d, boxes)


def test_order_of_a_square_and_its_gradient_when_both_boxes_are_equal(device: str) -> None:
    """The first box's corners are taken, so that it alone moves the shared area."""
    boxes = [torch.tensor([[UNIT]], device=device).float().requires_grad_() for _ in range(2)]
    corners = [ops.diff_iou_rotated.box2corners(b) for b in boxes]
    area, vertices = ops.diff_iou_rotated.oriented_box_intersection_2d(*corners)
    area.sum().backward()
    assert vertices[0, 0].tolist() == [[1, 1], [0, 1], [0, 0], [1, 0], [1, 1], *[[0, 0]] * 4]
    assert boxes[0].grad.flatten().tolist() == [0, 0, 1, 1, 0]
    assert boxes[1].grad is None or not boxes[1].grad.any()

"""Rotated boxes through mmcv's wrappers, against polygon clipping and the numbers of mmcv 2.1.0."""

import math
from functools import reduce

import pytest
import torch
from mmcv import ops
from torch import Tensor

FIRST = [[1.0, 1, 3, 4, 0.5], [2, 2, 3, 4, 0.6], [7, 7, 8, 8, 0.4]]
SECOND = [[0.0, 2, 2, 5, 0.3], [2, 1, 3, 3, 0.5], [5, 5, 6, 7, 0.4]]
IOUS = {
    'iou': [[0.3708, 0.4351, 0], [0.1104, 0.4487, 0.0424], [0, 0, 0.3622]],
    'iof': [[0.4959, 0.5306, 0], [0.1823, 0.5420, 0.1832], [0, 0, 0.4404]],
}
QUADS = (
    [[1.0, 1, 3, 4, 4, 4, 4, 1], [2, 2, 3, 4, 4, 2, 3, 1], [7, 7, 8, 8, 9, 7, 8, 6]],
    [[0.0, 0, 0, 2, 2, 2, 2, 0], [2, 1, 2, 4, 4, 4, 4, 1], [7, 6, 7, 8, 9, 8, 9, 6]],
)
QUAD_IOUS = {
    'iou': [[0.0714, 1, 0], [0, 0.5, 0], [0, 0, 0.5]],
    'iof': [[0.1111, 1, 0], [0, 1, 0], [0, 0, 1]],
}


def random_boxes(n: int) -> Tensor:
    box = torch.rand(n, 5, dtype=torch.double) * 8
    box[:, 2:4] += 1
    return box


def outline(box: Tensor) -> list[complex]:
    x, y, w, h, angle = box.tolist()
    turn = complex(math.cos(angle), math.sin(angle))
    corners = [(-w, -h), (w, -h), (w, h), (-w, h)]
    return [complex(x, y) + turn * complex(a, b) / 2 for a, b in corners]


def cross(a: complex, b: complex) -> float:
    return (a.conjugate() * b).imag


def clip(polygon: list[complex], side: tuple[complex, complex]) -> list[complex]:
    """The part of a polygon on the inner side of a line (Sutherland and Hodgman)."""
    distance = [cross(side[1] - side[0], p - side[0]) for p in polygon]
    kept = []
    for i, point in enumerate(polygon):
        if distance[i - 1] * distance[i] < 0:
            share = distance[i] / (distance[i] - distance[i - 1])
            kept.append(point + share * (polygon[i - 1] - point))
        if distance[i] >= 0:
            kept.append(point)
    return kept


def polygon_area(polygon: list[complex]) -> float:
    return sum(cross(polygon[i - 1], p) for i, p in enumerate(polygon)) / 2


def slow_overlap(a: Tensor, b: Tensor, mode: str = 'iou') -> float:
    first, second = outline(a), outline(b)
    sides = zip(second, second[1:] + second[:1], strict=True)
    shared = polygon_area(reduce(clip, sides, first))
    areas = [float(box[2] * box[3]) for box in (a, b)]
    return shared / (sum(areas) - shared if mode == 'iou' else areas[0])


def as_quads(boxes: Tensor) -> Tensor:
    return torch.tensor([[c for p in outline(b) for c in (p.real, p.imag)] for b in boxes])


def assert_overlaps(op, first: Tensor, second: Tensor, mode: str, expected: Tensor) -> None:
    torch.testing.assert_close(op(first, second, mode).cpu(), expected, rtol=0, atol=1e-4)
    aligned = op(first, second, mode, aligned=True).cpu()
    torch.testing.assert_close(aligned, expected.diagonal(), rtol=0, atol=1e-4)


@pytest.mark.parametrize('mode', IOUS)
def test_overlaps_are_the_numbers_of_mmcvs_test(mode: str, device: str) -> None:
    """tests/test_ops/test_box_iou_rotated.py of mmcv, both directions of the angle."""
    boxes = [torch.tensor(b, device=device) for b in (FIRST, SECOND)]
    assert_overlaps(ops.box_iou_rotated, *boxes, mode, torch.tensor(IOUS[mode]))
    turned = (b * b.new_tensor([1, 1, 1, 1, -1]) for b in boxes)
    ours = ops.box_iou_rotated(*turned, mode, clockwise=False)
    torch.testing.assert_close(ours.cpu(), torch.tensor(IOUS[mode]), rtol=0, atol=1e-4)


@pytest.mark.parametrize('mode', QUAD_IOUS)
def test_quadrilaterals_give_the_numbers_of_mmcvs_test(mode: str, device: str) -> None:
    """tests/test_ops/test_box_iou_quadri.py of mmcv, whose kernel is exact for rectangles only."""
    quads = (torch.tensor(q, device=device) for q in QUADS)
    assert_overlaps(ops.box_iou_quadri, *quads, mode, torch.tensor(QUAD_IOUS[mode]))


@pytest.mark.parametrize('mode', ['iou', 'iof'])
def test_overlaps_equal_clipped_polygons(mode: str, device: str) -> None:
    first, second = random_boxes(20).to(device), random_boxes(20).to(device)
    expected = torch.tensor([[slow_overlap(a, b, mode) for b in second] for a in first])
    expected = expected.double()
    torch.testing.assert_close(ops.box_iou_rotated(first, second, mode).cpu(), expected)
    quads = (as_quads(boxes).double().to(device) for boxes in (first, second))
    ours = ops.box_iou_quadri(*quads, mode)
    torch.testing.assert_close(ours.cpu(), expected, rtol=0, atol=1e-5)


SPECIAL = {
    'itself': ([3.0, 4, 5, 2, 0.7], [3.0, 4, 5, 2, 0.7], 1),
    'turned round': ([3.0, 4, 5, 2, 0.7], [3.0, 4, 5, 2, 0.7 + 2 * math.pi], 1),
    'turned by a right angle': ([3.0, 4, 5, 2, 0.7], [3.0, 4, 2, 5, 0.7 + math.pi / 2], 1),
    'nearly itself': ([300.0, 400, 50, 20, 0.7], [300.00003, 400, 50, 20, 0.7], 1),
    'side by side': ([1.0, 1, 2, 2, 0], [3.0, 1, 2, 2, 0], 0),
    'corner to corner': ([1.0, 1, 2, 2, 0], [3.0, 3, 2, 2, 0], 0),
    'one side shared': ([1.0, 1, 2, 2, 0], [0.5, 1, 1, 2, 0], 0.5),
    'within': ([1.0, 1, 4, 4, 0.3], [1.0, 1, 2, 2, 0.9], 0.25),
    'octagon': ([0.0, 0, 1, 1, 0], [0.0, 0, 1, 1, math.pi / 4], math.sqrt(0.5)),
    'far away': ([0.0, 0, 1, 1, 0], [1e6, 0, 1, 1, 1], 0),
    'empty': ([0.0, 0, 0, 1, 0], [0.0, 0, 0, 1, 0], 0),
}


@pytest.mark.parametrize('case', SPECIAL)
def test_special_positions(case: str, device: str) -> None:
    first, second, expected = SPECIAL[case]
    boxes = (torch.tensor([b], device=device) for b in (first, second))
    assert ops.box_iou_rotated(*boxes).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize('n, m', [(0, 3), (3, 0), (0, 0)])
def test_overlaps_of_no_boxes(n: int, m: int, device: str) -> None:
    boxes = (torch.rand(k, 5, device=device) for k in (n, m))
    assert ops.box_iou_rotated(*boxes).shape == (n, m)


def test_many_pairs_are_worked_on_in_parts(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    rotated = pytest.importorskip('mmcv._ext.rotated', reason='mmcv is compiled')
    boxes = random_boxes(30).to(device)
    expected = ops.box_iou_rotated(boxes, boxes)
    kept = ops.nms_rotated(boxes, boxes[:, 0], 0.3)[1]
    monkeypatch.setattr(rotated, 'PAIRS_AT_ONCE', 7)
    monkeypatch.setattr(rotated, 'COMPARISONS_AT_ONCE', 50)
    assert torch.equal(ops.box_iou_rotated(boxes, boxes), expected)
    assert torch.equal(ops.nms_rotated(boxes, boxes[:, 0], 0.3)[1], kept)

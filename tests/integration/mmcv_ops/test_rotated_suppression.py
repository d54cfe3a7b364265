"""NMS of rotated boxes through mmcv's wrappers, against nested loops and mmcv 2.1.0's numbers."""

import pytest
import torch
from mmcv import ops
from test_rotated import as_quads, random_boxes, slow_overlap

BOXES = [
    [6.0, 3, 8, 7, 0.5],
    [3, 6, 9, 11, 0.6],
    [3, 7, 10, 12, 0.3],
    [1, 4, 13, 7, 0.6],
]
SCORES = [0.7, 0.8, 0.5, 0.9]
QUADS = [
    [1.0, 1, 3, 4, 4, 4, 4, 1],
    [2, 2, 3, 4, 4, 2, 3, 1],
    [7, 7, 8, 8, 9, 7, 8, 6],
    [0, 0, 0, 2, 2, 2, 2, 0],
]
LABELS = [1.0, 0, 1, 0]
# type, boxes, threshold, kept regardless of the class, kept by class
NUMBERS = [
    ('nms_rotated', BOXES, SCORES, 0.5, [3, 1, 0], [3, 1, 0, 2]),
    ('nms_quadri', QUADS, SCORES, 0.3, [3, 1, 2], [3, 1, 0, 2]),
]


@pytest.mark.parametrize('type, boxes, scores, threshold, kept, kept_by_class', NUMBERS)
def test_kept_boxes_are_those_of_mmcvs_test(
    type: str,
    boxes: list,
    scores: list,
    threshold: float,
    kept: list,
    kept_by_class: list,
    device: str,
) -> None:
    """tests/test_ops/test_nms_rotated.py and test_nms_quadri.py of mmcv."""
    boxes, scores, labels = (torch.tensor(t, device=device) for t in (boxes, scores, LABELS))
    cfg = dict(type=type, iou_threshold=threshold)
    for agnostic, expected in ((True, kept), (False, kept_by_class)):
        dets, keep = ops.batched_nms(boxes, scores, labels, cfg, class_agnostic=agnostic)
        assert keep.tolist() == expected
        assert torch.equal(dets, torch.cat([boxes, scores[:, None]], 1)[keep])
    # The kernels take the labels and do not look at them.
    assert getattr(ops, type)(boxes, scores, threshold, labels)[1].tolist() == kept


def test_angles_of_both_directions(device: str) -> None:
    boxes, scores = torch.tensor(BOXES, device=device), torch.tensor(SCORES, device=device)
    boxes[:, 4] *= -1
    assert ops.nms_rotated(boxes, scores, 0.5, clockwise=False)[1].tolist() == [3, 1, 0]


@pytest.mark.parametrize('threshold', [0.1, 0.3, 0.6])
def test_suppression_equals_nested_loops(threshold: float, device: str) -> None:
    boxes, scores = random_boxes(40), torch.rand(40, dtype=torch.double)
    expected = []
    for i in scores.argsort(descending=True).tolist():
        if all(slow_overlap(boxes[i], boxes[j]) < threshold for j in expected):
            expected.append(i)
    args = (scores.to(device), threshold)
    assert ops.nms_rotated(boxes.to(device), *args)[1].tolist() == expected
    quads = as_quads(boxes).double().to(device)
    assert ops.nms_quadri(quads, *args)[1].tolist() == expected


def test_an_iou_equal_to_the_threshold_suppresses_on_the_cpu_only(device: str) -> None:
    boxes = torch.tensor([[5.0, 5, 10, 10, 0], [5, 2.5, 10, 5, 0]], device=device)
    keep = ops.nms_rotated(boxes, torch.tensor([0.9, 0.8], device=device), 0.5)[1]
    assert keep.tolist() == ([0] if device == 'cpu' else [0, 1])

"""NMS through mmcv's wrappers, against slow references; a compiled mmcv passes too."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmcv import ops
from torch import Tensor


def random_boxes(n: int, size: float = 40) -> Tensor:
    corner = torch.rand(n, 2) * size
    return torch.cat([corner, corner + torch.rand(n, 2) * size / 2], 1)


def slow_iou(a: Tensor, b: Tensor, offset: int) -> float:
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    areas = [(c[2] - c[0] + offset) * (c[3] - c[1] + offset) for c in (a, b)]
    return float(w * h / (sum(areas) - w * h))


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('score_threshold', [0, 0.4])
@pytest.mark.parametrize('max_num', [-1, 5])
def test_nms_equals_nested_loops(
    device: str, offset: int, score_threshold: float, max_num: int
) -> None:
    boxes, scores = random_boxes(60), torch.rand(60)
    expected = []
    for i in scores.argsort(descending=True).tolist():
        free = all(slow_iou(boxes[i], boxes[j], offset) <= 0.3 for j in expected)
        expected += [i] if free and scores[i] > score_threshold else []
    expected = expected[:max_num] if max_num > 0 else expected
    dets, keep = ops.nms(
        boxes.to(device),
        scores.to(device),
        0.3,
        offset=offset,
        score_threshold=score_threshold,
        max_num=max_num,
    )
    assert keep.tolist() == expected
    torch.testing.assert_close(dets.cpu(), torch.cat([boxes, scores[:, None]], 1)[expected])


def test_nms_counts_the_offset_into_widths() -> None:
    boxes = torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2]])  # IoU 1/3, with widths + 1 it is 1/2
    kept = [
        len(ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.4, offset=offset)[1]) for offset in (0, 1)
    ]
    assert kept == [2, 1]


@pytest.mark.parametrize('threshold', [0.1, 0.2, 0.3, 0.4, 0.6, 0.8])
def test_nms_keeps_a_box_whose_iou_is_the_threshold(threshold: float, device: str) -> None:
    """In single precision, as mmcv compares: 0.6 as a double is less than 6 / 10 as a float."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10 * threshold]], device=device)
    keep = ops.nms(boxes, torch.tensor([0.9, 0.8], device=device), threshold)[1]
    assert keep.tolist() == [0, 1]


def test_nms_takes_and_returns_numpy() -> None:
    boxes, scores = random_boxes(5).numpy(), np.linspace(0, 1, 5, dtype=np.float32)
    assert all(isinstance(result, np.ndarray) for result in ops.nms(boxes, scores, 0.5))


@pytest.mark.parametrize('type', ['nms', 'soft_nms'])
@pytest.mark.parametrize('split_thr', [10000, 2])
def test_batched_nms_keeps_classes_apart(device: str, type: str, split_thr: int) -> None:
    boxes = random_boxes(1).repeat(4, 1).to(device)
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6], device=device)
    cfg = dict(type=type, iou_threshold=0.5, split_thr=split_thr)
    dets, keep = ops.batched_nms(boxes, scores, torch.tensor([0, 1, 0, 1], device=device), cfg)
    assert keep.tolist() == [0, 1]
    torch.testing.assert_close(dets[:, 4], scores[:2])


@pytest.mark.parametrize('suppress', [ops.nms, ops.soft_nms])
def test_suppression_of_no_boxes(suppress: Callable, device: str) -> None:
    dets, keep = suppress(torch.zeros(0, 4, device=device), torch.zeros(0, device=device), 0.5)
    assert dets.shape == (0, 5) and keep.shape == (0,)


def slow_soft_nms(
    boxes: Tensor, scores: Tensor, decay: Callable, min_score: float, offset: int
) -> tuple[list[list[float]], list[int]]:
    waiting = [(float(s), i) for i, s in enumerate(scores)]
    dets, keep = [], []
    while waiting:
        score, best = max(waiting)
        dets.append([*boxes[best].tolist(), score])
        keep.append(best)
        decayed = [
            (s * decay(slow_iou(boxes[best], boxes[i], offset)), i) for s, i in waiting if i != best
        ]
        waiting = [(s, i) for s, i in decayed if s >= min_score]
    return dets, keep


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize(
    'method, decay',
    [
        ('naive', lambda iou: 0 if iou >= 0.3 else 1),
        ('linear', lambda iou: 1 - iou if iou >= 0.3 else 1),
        ('gaussian', lambda iou: math.exp(-(iou**2) / 0.5)),
    ],
)
def test_soft_nms_equals_nested_loops(method: str, decay: Callable, offset: int) -> None:
    boxes, scores = random_boxes(40), torch.rand(40)
    expected, order = slow_soft_nms(boxes, scores, decay, 0.05, offset)
    dets, keep = ops.soft_nms(boxes, scores, 0.3, 0.5, 0.05, method, offset)
    assert keep.tolist() == order
    torch.testing.assert_close(dets, torch.tensor(expected))


def test_soft_nms_orders_equal_scores_as_mmcv() -> None:
    # Far apart but for 1, which 0 removes: the last box then takes the place of 1.
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2], [5, 5, 7, 7], [8, 8, 9, 9]])
    keep = ops.soft_nms(boxes, torch.full((4,), 0.5), 0.3, method='naive')[1]
    assert keep.tolist() == [0, 3, 2]


def test_nms_match_groups_boxes_with_their_suppressor() -> None:
    dets = torch.cat([random_boxes(40), torch.rand(40, 1)], 1)
    waiting, expected = dets[:, 4].argsort(descending=True).tolist(), []
    while waiting:
        group = [i for i in waiting if slow_iou(dets[waiting[0]], dets[i], 0) >= 0.3]
        expected.append(group)
        waiting = [i for i in waiting if i not in group]
    assert [group.tolist() for group in ops.nms_match(dets, 0.3)] == expected

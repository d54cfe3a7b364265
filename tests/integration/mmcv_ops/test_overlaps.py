"""Overlaps of boxes through mmcv's wrappers, against slow references and mmcv's numbers."""

import pytest
import torch
from mmcv import ops
from torch import Tensor

BOXES = [[1, 1, 3, 4], [2, 2, 3, 4], [7, 7, 8, 8]], [[0, 2, 2, 5], [2, 1, 3, 3]]


def slow_overlap(a: Tensor, b: Tensor, mode: str, offset: int) -> float:
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    areas = [(c[2] - c[0] + offset) * (c[3] - c[1] + offset) for c in (a, b)]
    return float(w * h / (sum(areas) - w * h if mode == 'iou' else areas[0]))


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('mode', ['iou', 'iof'])
def test_overlaps_equal_nested_loops(mode: str, offset: int, device: str) -> None:
    corner = torch.rand(2, 7, 2) * 20
    first, second = torch.cat([corner, corner + torch.rand(2, 7, 2) * 20], 2)
    expected = torch.tensor([[slow_overlap(a, b, mode, offset) for b in second] for a in first])
    for aligned, values in ((False, expected), (True, expected.diagonal())):
        ours = ops.bbox_overlaps(first.to(device), second.to(device), mode, aligned, offset)
        torch.testing.assert_close(ours.cpu(), values)


@pytest.mark.parametrize(
    'first, second, aligned, expected',
    [
        (*BOXES, False, [[1 / 3, 0.5], [0.2, 0.5], [0, 0]]),
        (BOXES[0][:2], BOXES[1], True, [1 / 3, 0.5]),
        (
            [[0, 0, 3, 3]],
            [[4, 0, 5, 3], [3, 0, 4, 3], [2, 0, 3, 3], [1, 0, 2, 3]],
            False,
            [[0, 0.2, 0.5, 0.5]],
        ),
    ],
)
def test_overlaps_are_the_numbers_of_mmcvs_test(
    first: list, second: list, aligned: bool, expected: list, device: str
) -> None:
    """tests/test_ops/test_bbox.py of mmcv 2.1.0, widths counted with an offset of 1."""
    boxes = (torch.tensor(b, dtype=torch.float, device=device) for b in (first, second))
    ours = ops.bbox_overlaps(*boxes, aligned=aligned, offset=1)
    torch.testing.assert_close(ours.cpu(), torch.tensor(expected))

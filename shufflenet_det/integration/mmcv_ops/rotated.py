"""Overlap and suppression of rotated boxes and quadrilaterals; angles turn x towards y.

Rotated boxes (N, 5) are x and y of the centre, width, height and angle in radian; quadrilaterals
(N, 8) the corners x, y along the outline.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from .boxes import IOU
from .polygons import area, shared_area

PAIRS_AT_ONCE = 2**16
COMPARISONS_AT_ONCE = 2**22
SMALLEST_AREA = 1e-14  # a smaller box overlaps nothing


def box_iou_rotated(
    bboxes1: Tensor, bboxes2: Tensor, ious: Tensor, mode_flag: int, aligned: bool
) -> None:
    """IoU, or intersection over the first box, into `ious`: N * M pairs, or N where aligned."""
    _write_ious(_box_corners(bboxes1), _box_corners(bboxes2), ious, mode_flag, aligned)


def box_iou_quadri(
    bboxes1: Tensor, bboxes2: Tensor, ious: Tensor, mode_flag: int, aligned: bool
) -> None:
    """The same of quadrilaterals."""
    _write_ious(_quadri_corners(bboxes1), _quadri_corners(bboxes2), ious, mode_flag, aligned)


def nms_rotated(
    dets: Tensor,
    scores: Tensor,
    order: Tensor,
    dets_sorted: Tensor,
    labels: Tensor,
    iou_threshold: float,
    multi_label: bool,
) -> Tensor:
    """Indices of the kept boxes in descending order of score; as in mmcv, labels do not matter."""
    return order[_kept(_box_corners(dets_sorted), dets.dtype, iou_threshold)]


def nms_quadri(
    dets: Tensor,
    scores: Tensor,
    order: Tensor,
    dets_sorted: Tensor,
    iou_threshold: float,
    multi_label: bool,
) -> Tensor:
    """The same of quadrilaterals."""
    return order[_kept(_quadri_corners(dets_sorted), dets.dtype, iou_threshold)]


def points_in_polygons_forward(points: Tensor, polygons: Tensor, output: Tensor) -> None:
    """Whether points (B, 2) lie in quadrilaterals (M, 8), as 1 or 0 into `output` (B, M).

    A ray to the right is counted; as in mmcv, the first side that the point lies on ends the count.
    """
    point, corners = points[:, None], polygons.unflatten(1, (4, 2))
    crossings = output.new_zeros(output.shape, dtype=torch.int)
    counting = torch.ones_like(crossings, dtype=torch.bool)
    for i in range(4):
        start, end = corners[:, i], corners[:, i - 1]
        at_corner = (start == point).all(-1) | (end == point).all(-1)
        spans = (start[:, 1] >= point[..., 1]) != (end[:, 1] >= point[..., 1])
        run, rise = (end - start).unbind(1)
        distance = start[:, 0] + (point[..., 1] - start[:, 1]) * run / rise - point[..., 0]
        counting &= ~at_corner
        crossings += counting & spans & (distance > 0)
        counting &= ~(spans & (distance == 0))
    output.copy_(crossings % 2)


def _box_corners(boxes: Tensor) -> Tensor:
    """Corners (N, 4, 2) of rotated boxes (N, 5)."""
    centre, sides, angle = boxes.double()[:, :5].split([2, 2, 1], dim=1)
    cos, sin = angle.cos(), angle.sin()
    along, down = torch.cat((cos, sin), 1) * sides[:, :1], torch.cat((-sin, cos), 1) * sides[:, 1:]
    signs = boxes.new_tensor([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=torch.double) / 2
    return centre[:, None] + signs @ torch.stack((along, down), dim=1)


def _quadri_corners(boxes: Tensor) -> Tensor:
    return boxes.double()[:, :8].unflatten(1, (4, 2))


def _write_ious(first: Tensor, second: Tensor, ious: Tensor, mode: int, aligned: bool) -> None:
    if aligned:
        index = torch.arange(len(first), device=first.device)
        ious.copy_(_overlaps(first, second, index, index, mode))
        return
    for i, j in _near_pairs(first, second):
        ious[i * len(second) + j] = _overlaps(first, second, i, j, mode).to(ious.dtype)


def _kept(corners: Tensor, dtype: torch.dtype, iou_threshold: float) -> Tensor:
    """Positions of the kept ones of quadrilaterals (N, 4, 2) in descending order of score.

    An IoU that rounds to the threshold suppresses on the CPU only, as in mmcv's kernels.
    """
    reaches: Callable = torch.gt if corners.is_cuda else torch.ge
    suppresses = []
    for i, j in _near_pairs(corners, corners):
        i, j = i[i < j], j[i < j]
        ious = _overlaps(corners, corners, i, j, IOU).to(dtype)
        hit = reaches(ious, float(np.float32(iou_threshold)))
        suppresses.append(torch.stack((i, j))[:, hit].cpu().numpy())
    i, j = np.concatenate([np.empty((2, 0), int), *suppresses], axis=1)
    first, kept = np.searchsorted(i, np.arange(len(corners) + 1)), np.ones(len(corners), bool)
    for k in range(len(corners)):
        if kept[k]:
            kept[j[first[k] : first[k + 1]]] = False
    return torch.from_numpy(kept.nonzero()[0]).to(corners.device)


def _near_pairs(first: Tensor, second: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs whose enclosing upright boxes meet, as indices in ascending order; others share 0."""
    low, high = first.amin(1)[:, None], first.amax(1)[:, None]
    other_low, other_high = second.amin(1), second.amax(1)
    rows = max(COMPARISONS_AT_ONCE // max(len(second), 1), 1)
    for start in range(0, len(first), rows):
        part = slice(start, start + rows)
        meet = ((low[part] <= other_high) & (high[part] >= other_low)).all(2)
        yield (meet.nonzero() + meet.new_tensor([start, 0], dtype=torch.long)).unbind(1)


def _overlaps(first: Tensor, second: Tensor, i: Tensor, j: Tensor, mode: int) -> Tensor:
    """IoU, or intersection over the first, of the pairs i, j (B,)."""
    overlaps = [
        _overlap(first[i_part], second[j_part], mode)
        for i_part, j_part in zip(i.split(PAIRS_AT_ONCE), j.split(PAIRS_AT_ONCE), strict=True)
    ]
    return torch.cat(overlaps)


def _overlap(first: Tensor, second: Tensor, mode: int) -> Tensor:
    """The same of pairs (B, 4, 2) of corners."""
    if not len(first):
        return first.new_zeros(0)
    shared, areas, other_areas = shared_area(first, second), area(first), area(second)
    whole = areas + other_areas - shared if mode == IOU else areas
    large = (areas >= SMALLEST_AREA) & (other_areas >= SMALLEST_AREA)
    return (shared / whole).where(large, 0)

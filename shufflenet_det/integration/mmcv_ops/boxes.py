"""Overlap and suppression of boxes (N, 4): x1, y1, x2, y2; a width is x2 - x1 + offset."""

import numpy as np
import torch
import torchvision
from torch import Tensor

from .upcast import upcast

IOU = 0  # of the modes of bbox_overlaps
NAIVE, LINEAR, GAUSSIAN = range(3)  # softnms methods


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the kept boxes in descending order of score.

    The threshold has single precision: an IoU that rounds to it does not suppress.
    """
    boxes = upcast(boxes)
    far_corner = boxes.new_tensor([0, 0, offset, offset])
    threshold = float(np.float32(iou_threshold))
    return torchvision.ops.nms(boxes + far_corner, scores.to(boxes.dtype), threshold)


def bbox_overlaps(
    bboxes1: Tensor, bboxes2: Tensor, ious: Tensor, mode: int, aligned: bool, offset: int
) -> None:
    """IoU, or intersection over the first box, of M x N boxes or of M pairs, into `ious`."""
    first, second = upcast(bboxes1), upcast(bboxes2)
    if not aligned:
        first = first[:, None]
    corners = torch.maximum(first[..., :2], second[..., :2])
    far_corners = torch.minimum(first[..., 2:], second[..., 2:])
    overlap = (far_corners - corners + offset).clamp(min=0).prod(-1)
    area, other_area = ((b[..., 2:] - b[..., :2] + offset).prod(-1) for b in (first, second))
    ious.copy_(overlap / (area + other_area - overlap if mode == IOU else area))


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft-NMS (arXiv:1704.04503) on the CPU; fills `dets` (N, 5), returns the kept indices.

    A candidate is dropped when a decayed score falls below `min_score`; the best remaining one is
    always kept. The order of equal scores is mmcv's.
    """
    rows = upcast(boxes).numpy().copy()
    left = upcast(scores).numpy().astype(rows.dtype)
    order = np.arange(len(rows))
    kept = 0
    while kept < len(rows):
        best = kept + int(left[kept:].argmax())
        for array in (rows, left, order):
            array[[kept, best]] = array[[best, kept]]
        rest = slice(kept + 1, None)
        iou = _iou(rows[kept], rows[rest], offset)
        left[rest] *= _decay(iou, iou_threshold, sigma, method).astype(left.dtype)
        survivors = _fill_holes(left[rest] >= min_score) + kept + 1
        kept += 1
        rows, left, order = (np.concatenate([a[:kept], a[survivors]]) for a in (rows, left, order))
    dets[:kept, :4] = dets.new_tensor(rows)
    dets[:kept, 4] = dets.new_tensor(left)
    return torch.from_numpy(order)


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Groups of indices into dets (N, 5): each kept box, then the boxes that it suppressed."""
    rows = upcast(dets).numpy()
    waiting = upcast(dets)[:, 4].sort(descending=True).indices.numpy()
    groups = []
    while len(waiting):
        best, rest = waiting[0], waiting[1:]
        matched = _iou(rows[best], rows[rest], offset=0) >= iou_threshold
        groups.append([int(best), *rest[matched].tolist()])
        waiting = rest[~matched]
    return groups


def _iou(box: np.ndarray, others: np.ndarray, offset: int) -> np.ndarray:
    """IoU of one box (4,) with others (N, 4); empty boxes overlap nothing."""
    sides = np.minimum(box[2:4], others[:, 2:4]) - np.maximum(box[:2], others[:, :2]) + offset
    overlap = sides.clip(min=0).prod(axis=1)
    areas = (others[:, 2:4] - others[:, :2] + offset).prod(axis=1)
    union = (box[2:4] - box[:2] + offset).prod() + areas - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union != 0)


def _decay(iou: np.ndarray, iou_threshold: float, sigma: float, method: int) -> np.ndarray:
    if method == GAUSSIAN:
        return np.exp(-(iou**2) / sigma)
    suppressed = np.zeros_like(iou) if method == NAIVE else 1 - iou
    return np.where(iou >= iou_threshold, suppressed, 1)


def _fill_holes(keep: np.ndarray) -> np.ndarray:
    """Indices of the kept entries; each gap is filled by the last entry that is still kept."""
    indices = np.arange(keep.sum())
    holes = np.flatnonzero(~keep[: len(indices)])
    indices[holes] = (np.flatnonzero(keep[len(indices) :]) + len(indices))[::-1]
    return indices

"""Exact non-maximum suppression that stops at the boxes an RPN keeps (fast on the CPU).

torchvision's CPU kernel always runs to the last box, pair by pair. Here boxes are taken in growing
blocks of falling score, compared with the boxes kept so far and, those that are left, among
themselves, until enough are kept.
IoU > t needs an area ratio of at least t, so boxes sorted by area meet a window of partners only.
Every comparison is torchvision's arithmetic in single precision, so the decisions are the same.
"""

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms

# The first block is compared among itself in full, later ones lose most boxes to those kept.
BLOCK, GROWTH = 256, 4
CHUNK = 64
# Below this many boxes torchvision's kernel is as fast.
FEW_BOXES = 512
# Relative slack of the area window, far above the rounding of a single-precision IoU.
AREA_SLACK = 1e-4


def _pairs_above(
    first: np.ndarray, second: np.ndarray | None, threshold: np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Indices (i, j) of all pairs with IoU above the threshold.

    first, second (5, n): x1, y1, x2, y2, area of well-formed boxes, sorted by area. Without a
    second, pairs within the first: each at least once, some in both orders, and boxes with
    themselves.
    """
    rows, columns = [], []
    for start in range(0, first.shape[1], CHUNK):
        x1, y1, x2, y2, area = first[:, start : start + CHUNK, None]
        limits = area[0] * threshold * (1 - AREA_SLACK), area[-1] / threshold * (1 + AREA_SLACK)
        others = first if second is None else second
        low = start if second is None else np.searchsorted(others[4], limits[0].item(), 'left')
        high = np.searchsorted(others[4], limits[1].item(), 'right')
        other = others[:, low:high]
        width = np.minimum(x2, other[2]) - np.maximum(x1, other[0])
        inter = np.minimum(y2, other[3]) - np.maximum(y1, other[1])
        inter *= width
        union = area + other[4]
        union -= inter
        # two negative sides have a positive product; a single one leaves no positive IoU
        above = np.divide(inter, union, out=inter) > threshold
        above &= width > 0
        i, j = np.divmod(np.flatnonzero(above), above.shape[1] or 1)
        rows.append(i + start)
        columns.append(j + low)
    return np.concatenate(rows), np.concatenate(columns)


def _greedy(source: np.ndarray, target: np.ndarray, count: int) -> np.ndarray:
    """Mask (count,) of the boxes that no kept box suppresses; source outranks target in each pair.

    Starts from all boxes and repeats until nothing changes: after n rounds every box at the end of
    a chain of at most n suppressions is right.
    """
    kept = np.ones(count, dtype=bool)
    while True:
        update = np.ones(count, dtype=bool)
        update[target[kept[source]]] = False
        if np.array_equal(update, kept):
            return kept
        kept = update


def single_precision_at_most(value: float) -> np.float32:
    """Largest float32 t <= value: x > t in single is x > value in double, as in torchvision."""
    rounded = np.float32(value)
    return rounded if float(rounded) <= value else np.nextafter(rounded, np.float32(-np.inf))


def _nms_sorted(boxes: np.ndarray, threshold: np.float32, max_num: int) -> np.ndarray:
    """Kept indices of well-formed boxes (n, 4) in falling order of score."""
    table = np.empty((5, len(boxes)), dtype=np.float32)
    table[:4] = boxes.T
    table[4] = (table[2] - table[0]) * (table[3] - table[1])
    area, kept = table[4], np.empty(0, dtype=np.int64)
    start, size = 0, BLOCK
    while start < len(boxes) and len(kept) < max_num:
        block = start + area[start : start + size].argsort()
        start, size = start + size, size * GROWTH
        kept = kept[area[kept].argsort()]
        if len(kept):
            _, suppressed = _pairs_above(table[:, kept], table[:, block], threshold)
            block = np.delete(block, suppressed)
        if len(block) == 0:
            continue
        one, other = _pairs_above(table[:, block], None, threshold)
        outranks = block[one] < block[other]
        source, target = np.where(outranks, (one, other), (other, one))
        apart = source != target
        new = block[_greedy(source[apart], target[apart], len(block))]
        kept = np.concatenate((kept, new))
    return np.sort(kept)[:max_num]


def _is_fast(boxes: Tensor, iou_threshold: float) -> bool:
    if boxes.device.type != 'cpu' or boxes.dtype != torch.float32 or len(boxes) < FEW_BOXES:
        return False
    well_formed = boxes.isfinite().all() and (boxes[:, 2:] >= boxes[:, :2]).all()
    return iou_threshold > 0 and bool(well_formed)


def nms_topk(boxes: Tensor, scores: Tensor, iou_threshold: float, max_num: int) -> Tensor:
    """`torchvision.ops.nms(boxes, scores, iou_threshold)[:max_num]`, index for index.

    Shapes: boxes (n, 4) as x1, y1, x2, y2; scores (n,); result (at most max_num,), int64, in
    falling order of score. Boxes that are few, not finite, reversed, of another type than float32
    or not on the CPU go to torchvision itself.

    Raises:
        ValueError: If max_num is negative.
    """
    if max_num < 0:
        raise ValueError(f'max_num must be 0 or more, got {max_num}')
    if not _is_fast(boxes, iou_threshold):
        return nms(boxes, scores, iou_threshold)[:max_num]
    order = scores.sort(descending=True, stable=True).indices
    threshold = single_precision_at_most(iou_threshold)
    with np.errstate(over='ignore', invalid='ignore', divide='ignore'):
        kept = _nms_sorted(boxes.detach()[order].numpy(), threshold, max_num)
    return order[torch.from_numpy(kept)]


def batched_nms_topk(
    boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float, max_num: int
) -> Tensor:
    """`nms_topk` within each group of equal idxs (n,), such as levels or classes.

    As in mmcv's `batched_nms`, the groups are moved apart by more than the largest coordinate.
    """
    if len(boxes) == 0:
        return nms_topk(boxes, scores, iou_threshold, max_num)
    offsets = idxs.to(boxes) * (boxes.max() + 1)
    return nms_topk(boxes + offsets[:, None], scores, iou_threshold, max_num)

"""Greedy NMS whose steps and shapes do not follow the values, so that a CUDA graph can hold it."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from shufflenet_det.detectors.rpn_nms import single_precision_at_most

HAS_TRITON = find_spec('triton') is not None


def fixed_nms_mask(
    boxes: Tensor,
    scores: Tensor,
    max_num: int,
    iou_threshold: float,
    score_threshold: float,
    groups: int = 1,
) -> Tensor:
    """As `graph_ops.nms_mask`, decision for decision, without a shape that follows the values.

    On CUDA by two kernels of Triton (`nms_kernels`); elsewhere, and where it is missing, by
    `max_num` steps of torch, each of which takes the best box that is left.

    Args:
        boxes, scores, max_num, iou_threshold, score_threshold: As there, in single precision.
        groups: Boxes whose index differs modulo this overlap in no case; `max_num` holds in each.
    """
    boxes, scores = _split(boxes, groups), _split(scores, groups)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    boxes = boxes.gather(1, order.unsqueeze(-1).expand(-1, -1, 4))
    candidates = scores > score_threshold
    threshold = float(single_precision_at_most(iou_threshold))
    if boxes.is_cuda and HAS_TRITON:
        from .nms_kernels import greedy_on_cuda

        kept = greedy_on_cuda(boxes, candidates.sum(1, dtype=torch.int32), threshold, max_num)
    else:
        kept = greedy(boxes, candidates, threshold, max_num)
    mask = torch.zeros_like(kept).scatter(1, order, kept)
    return mask.unflatten(0, (-1, groups)).transpose(1, 2).flatten(1)


def _split(values: Tensor, groups: int) -> Tensor:
    """(N * groups, n, ...) from (N, n * groups, ...)."""
    return values.unflatten(1, (-1, groups)).transpose(1, 2).flatten(0, 1)


def greedy(boxes: Tensor, candidates: Tensor, threshold: float, max_num: int) -> Tensor:
    """Mask (G, n) of the first `max_num` boxes of each group that greedy NMS keeps.

    Shapes: boxes (G, n, 4) in falling order of score, candidates (G, n) bool.
    """
    left, kept = candidates, torch.zeros_like(candidates)
    place = torch.arange(boxes.shape[1], device=boxes.device)
    area = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    for _ in range(min(max_num, boxes.shape[1])):
        best = left.byte().argmax(1, keepdim=True)
        taken = (place == best) & left
        box = boxes.gather(1, best.unsqueeze(-1).expand(-1, -1, 4))
        sides = torch.minimum(box[..., 2:], boxes[..., 2:]) - torch.maximum(
            box[..., :2], boxes[..., :2]
        )
        shared = sides.clamp(min=0).prod(-1)
        over = shared / (area.gather(1, best) + area - shared) > threshold
        kept = kept | taken
        left = left & ~taken & ~over
    return kept

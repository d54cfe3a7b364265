"""Operators of the detector's graph that torch runs itself and ONNX has otherwise (`onnx_ops`).

Sizes that they give are symbols of their own in an export, not formulas of the input's size, over
which torch would reason for minutes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import nms


@torch.library.custom_op('shufflenet_det::pad_to_multiple', mutates_args=())
def pad_to_multiple(x: Tensor, divisor: int, value: float) -> Tensor:
    """x (N, C, H, W) padded at the right and the bottom to multiples of `divisor`."""
    return F.pad(x, (0, -x.shape[3] % divisor, 0, -x.shape[2] % divisor), value=value)


@pad_to_multiple.register_fake
def _(x: Tensor, divisor: int, value: float) -> Tensor:
    new_size = torch.library.get_ctx().new_dynamic_size
    height, width = new_size(min=2), new_size(min=2)
    return x.new_empty(x.shape[0], x.shape[1], height * divisor, width * divisor)


@torch.library.custom_op('shufflenet_det::top', mutates_args=())
def top(scores: Tensor, max_num: int) -> tuple[Tensor, Tensor]:
    """The `max_num` largest of scores (N, n) in falling order, or all n, and their indices.

    Of equal ones the first comes first.
    """
    values, indices = scores.sort(dim=1, descending=True, stable=True)
    return values[:, :max_num].clone(), indices[:, :max_num].clone()


@top.register_fake
def _(scores: Tensor, max_num: int) -> tuple[Tensor, Tensor]:
    values = scores.new_empty(scores.shape[0], torch.library.get_ctx().new_dynamic_size(min=2))
    return values, torch.empty_like(values, dtype=torch.int64)


@torch.library.custom_op('shufflenet_det::nms_mask', mutates_args=())
def nms_mask(
    boxes: Tensor, scores: Tensor, max_num: int, iou_threshold: float, score_threshold: float
) -> Tensor:
    """Mask (N, n) of the first `max_num` boxes of each image that greedy NMS keeps.

    Shapes: boxes (N, n, 4) as x1, y1, x2, y2; scores (N, n). Boxes with a score of at most
    `score_threshold` are no candidates.
    """
    mask = torch.zeros_like(scores, dtype=torch.bool)
    for kept, box, score in zip(mask, boxes, scores, strict=True):
        candidates = (score > score_threshold).nonzero().squeeze(1)
        order = nms(box[candidates], score[candidates], iou_threshold)[:max_num]
        kept[candidates[order]] = True
    return mask


@nms_mask.register_fake
def _(boxes: Tensor, scores: Tensor, *_) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)

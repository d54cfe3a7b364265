"""What `graph_ops` is in ONNX."""

import torch
from onnxscript import opset18 as op

from . import graph_ops  # noqa: F401  (defines the operators)


def _pad_to_multiple_in_onnx(x, divisor: int, value: float):
    size = op.Shape(x, start=2, end=4)
    divisor = op.Constant(value_ints=[divisor])
    rest = op.Mod(op.Sub(divisor, op.Mod(size, divisor)), divisor)
    pads = op.Concat(op.Constant(value_ints=[0] * 6), rest, axis=0)
    return op.Pad(x, pads, op.Constant(value_float=value))


def _top_in_onnx(scores, max_num: int):
    count = op.Min(op.Shape(scores, start=1, end=2), op.Constant(value_ints=[max_num]))
    return op.TopK(scores, count, axis=1)


def _nms_mask_in_onnx(boxes, scores, max_num: int, iou_threshold: float, score_threshold: float):
    selected = op.NonMaxSuppression(
        boxes,
        op.Unsqueeze(scores, op.Constant(value_ints=[1])),
        op.Constant(value_ints=[max_num]),
        op.Constant(value_floats=[iou_threshold]),
        op.Constant(value_floats=[score_threshold]),
    )  # rows of image, class, box
    place = op.Gather(selected, op.Constant(value_ints=[0, 2]), axis=1)
    ones = op.Expand(op.Constant(value_floats=[1.0]), op.Shape(selected, start=0, end=1))
    kept = op.ScatterND(op.Sub(scores, scores), place, ones)
    return op.Greater(kept, op.Constant(value_float=0.0))


ONNX_TRANSLATIONS = {
    torch.ops.shufflenet_det.pad_to_multiple.default: _pad_to_multiple_in_onnx,
    torch.ops.shufflenet_det.top.default: _top_in_onnx,
    torch.ops.shufflenet_det.nms_mask.default: _nms_mask_in_onnx,
}
"""What `torch.onnx.export` needs as its custom_translation_table."""

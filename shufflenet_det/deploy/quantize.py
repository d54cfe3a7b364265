"""Static int8 quantisation of an exported model by ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from shufflenet_det.data.pixels import read_image

from .model_info import ModelInfo
from .onnx_export import add_info, info_text
from .onnx_runtime import quantization

tools = quantization()

QUANTISED_OPS = ('Conv', 'Relu', 'MaxPool', 'Concat', 'Split', 'Slice')
"""Operators that run in int8 as far as they reach from the first conv on (backbone, neck, RPN's
conv, thin map). Boxes, scores, RoiAlign and the fully connected layers stay in fp32."""

SINGLE_PRECISION = ('rpn_cls.', 'rpn_reg.')
"""Convs that make scores and boxes, by their weights' names; they stay in fp32 too."""


def resized_images(paths: Sequence[Path], info: ModelInfo) -> Iterator[np.ndarray]:
    """Images (1, 3, H, W) uint8 as the graph reads them, one at a time."""
    for path in paths:
        image = read_image(path)
        image = image if info.resize is None else info.resize(image)
        yield np.ascontiguousarray(image.transpose(2, 0, 1)[None])


class _Images(tools.CalibrationDataReader):
    def __init__(self, images: Iterator[np.ndarray]) -> None:
        self.images = images

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self.images, None)
        return None if image is None else dict(images=image)


def quantised_nodes(proto: onnx.ModelProto) -> list[str]:
    """Names of the nodes that run in int8, see QUANTISED_OPS and SINGLE_PRECISION."""
    constants = {weight.name for weight in proto.graph.initializer}
    reached, names = set(), []
    for node in proto.graph.node:
        read = [name for name in node.input if name and name not in constants]
        first = node.op_type == 'Conv' and not names
        if node.op_type in QUANTISED_OPS and read and (first or reached.issuperset(read)):
            if not any(part in name for name in node.input for part in SINGLE_PRECISION):
                reached.update(node.output)
                names.append(node.name)
    return names


def quantise(proto: onnx.ModelProto, images: Sequence[Path]) -> onnx.ModelProto:
    """The int8 form of an exported model, calibrated by the range of its activations.

    Weights are int8 for each channel, activations uint8, in QuantizeLinear / DequantizeLinear
    pairs of the standard opset.

    Args:
        proto: What `to_onnx` returns, in single precision.
        images: Calibration images, some hundred as the detector will see them.

    Raises:
        ValueError: If there are no images or one cannot be read.
    """
    if not images:
        raise ValueError('int8 needs calibration images: give some hundred')
    info = ModelInfo.from_json(info_text(proto))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'int8.onnx')
        tools.quantize_static(
            proto, path, _Images(resized_images(images, info)), per_channel=True,
            activation_type=tools.QuantType.QUInt8, weight_type=tools.QuantType.QInt8,
            op_types_to_quantize=list(QUANTISED_OPS), nodes_to_quantize=quantised_nodes(proto),
        )  # fmt: skip
        result = onnx.load(path)
    add_info(result, replace(info, precision='int8'))
    return result

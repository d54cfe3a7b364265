"""Static int8 quantisation of an exported model by ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from shufflenet_det.data.pixels import read_image

from .contract import read_info
from .model_info import ModelInfo
from .onnx_export import add_info
from .onnx_runtime import quantization

tools = quantization()

QUANTISED_OPS = ('Conv', 'Relu', 'MaxPool', 'Concat', 'Split', 'Slice')
"""Operators that run in int8 as far as they reach from the first conv on (backbone, neck, RPN's
conv, thin map). Boxes, scores, RoiAlign and the fully connected layers stay in fp32."""

SINGLE_PRECISION = ('rpn_cls.', 'rpn_reg.')
"""Convs that make scores and boxes, by their weights' names; they stay in fp32 too."""


class _Images(tools.CalibrationDataReader):
    """Resized images as the graph reads them, one at a time."""

    def __init__(self, paths: Sequence[Path], info: ModelInfo) -> None:
        self.batches = self._read(paths, info)

    @staticmethod
    def _read(paths: Sequence[Path], info: ModelInfo) -> Iterator[dict[str, np.ndarray]]:
        for path in paths:
            image = read_image(path)
            image = image if info.resize is None else info.resize(image)
            yield dict(images=np.ascontiguousarray(image.transpose(2, 0, 1)[None]))

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


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
    info = read_info({p.key: p.value for p in proto.metadata_props})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'int8.onnx')
        tools.quantize_static(
            proto, path, _Images(images, info), per_channel=True,
            activation_type=tools.QuantType.QUInt8, weight_type=tools.QuantType.QInt8,
            op_types_to_quantize=list(QUANTISED_OPS), nodes_to_quantize=quantised_nodes(proto),
        )  # fmt: skip
        result = onnx.load(path)
    add_info(result, replace(info, precision='int8'))
    return result

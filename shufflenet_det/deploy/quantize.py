"""Static int8 quantisation of an exported model by ONNX Runtime."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from shufflenet_det.data.pixels import read_image

from .equalise import equalise
from .model_info import ModelInfo
from .onnx_export import add_info, info_text
from .onnx_runtime import quantization
from .request import picked

tools = quantization()

QUANTISED_OPS = (
    'Conv', 'Relu', 'LeakyRelu', 'MaxPool', 'Concat', 'Split', 'Slice', 'Add', 'Resize',
)  # fmt: skip
"""Operators that run in int8 as far as they reach from the first conv on (backbone, neck, RPN's
conv, thin map). Boxes, scores, RoiAlign and the layers that give out boxes and scores stay in
fp32."""

FULLY_CONNECTED = 'Gemm'
HIDDEN_LAYERS = 'bbox_head.shared_fcs.'
"""In the names of the weights of fully connected layers that run in int8, too, on what RoiAlign
gives in fp32."""

SIZED = ('Split', 'Slice', 'Resize')
"""Of these, operators whose inputs behind the first are sizes."""

SINGLE_PRECISION = tuple(
    f'{head}_{output}.' for head in ('rpn', 'gfl', 'retina', 'rtm') for output in ('cls', 'reg')
)
"""Convs that make scores and boxes, by their weights' names; they stay in fp32 too."""


@dataclass(frozen=True)
class Method:
    """How a graph is quantised; what it is unless given was chosen by data/results/int8.json.

    Args:
        calibration: How ranges of activations are found: MinMax, Entropy or Percentile.
        percentile: Share of an activation's values, in percent, that its range then holds.
        equalised: Whether ``equalise`` comes first.
        left: Beginnings of the names of weights whose convs stay in fp32, with the operators
            behind them up to the next conv.
    """

    calibration: str = 'Percentile'
    percentile: float = 99.999
    equalised: bool = True
    left: tuple[str, ...] = ('backbone.stem.', 'backbone.stage2.')


def resized_images(paths: Sequence[Path], info: ModelInfo) -> Iterator[np.ndarray]:
    """Images (1, 3, H, W) uint8 as the graph reads them, one at a time."""
    for path in paths:
        image = read_image(path)
        image = image if info.resize is None else info.resize(image)
        yield np.ascontiguousarray(image.transpose(2, 0, 1)[None])


class _Image(tools.CalibrationDataReader):
    def __init__(self, image: np.ndarray) -> None:
        self.left = [dict(images=image)]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self.left.pop() if self.left else None


def quantised_nodes(proto: onnx.ModelProto, left: tuple[str, ...]) -> list[str]:
    """Names of the nodes that run in int8, see QUANTISED_OPS, SINGLE_PRECISION, HIDDEN_LAYERS
    and Method."""
    constants = {weight.name for weight in proto.graph.initializer}
    reached, names, kept = set(), [], False
    for node in proto.graph.node:
        inputs = node.input[:1] if node.op_type in SIZED else node.input
        read = [name for name in inputs if name and name not in constants]
        first = node.op_type == 'Conv' and not reached
        if node.op_type not in QUANTISED_OPS or not read:
            continue
        if not (first or reached.issuperset(read)):
            continue
        if any(part in name for name in node.input for part in SINGLE_PRECISION):
            continue
        reached.update(node.output)
        if node.op_type == 'Conv':
            kept = node.input[1].startswith(left)
        if not kept:
            names.append(node.name)
    hidden = (node for node in proto.graph.node if node.op_type == FULLY_CONNECTED)
    return names + [node.name for node in hidden if HIDDEN_LAYERS in node.input[1]]


def activation_ranges(
    path: Path, images: Iterable[np.ndarray], method: Method
) -> tools.TensorsData:
    """Ranges of the values of a model.

    Args:
        path: The model, with the shapes of its values.
        images: As the graph reads them; what each gives is forgotten before the next.
        method: How.
    """
    options = dict(percentile=method.percentile, symmetric=False)
    calibrator = tools.create_calibrator(
        path, [*QUANTISED_OPS, FULLY_CONNECTED],
        augmented_model_path=str(path.with_suffix('.augmented')),
        calibrate_method=tools.CalibrationMethod[method.calibration],
        extra_options=options if method.calibration == 'Percentile' else {},
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        for image in images:
            calibrator.collect_data(_Image(image))
        return calibrator.compute_data()


def quantised(
    proto: onnx.ModelProto, images: Sequence[np.ndarray], method: Method = Method()
) -> onnx.ModelProto:
    """The int8 form of a graph.

    Weights are int8 for each channel, activations uint8, in QuantizeLinear / DequantizeLinear
    pairs of the standard opset.

    Args:
        proto: In single precision.
        images: (1, 3, H, W) uint8 as the graph reads them.
        method: How.
    """
    proto = equalise(proto, images) if method.equalised else proto
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'fp32.onnx')
        onnx.save(onnx.shape_inference.infer_shapes(proto), path)
        quantizer = tools.QDQQuantizer(
            onnx.load(path), per_channel=True, reduce_range=False,
            weight_qType=tools.QuantType.QInt8, activation_qType=tools.QuantType.QUInt8,
            tensors_range=activation_ranges(path, images, method),
            nodes_to_quantize=quantised_nodes(proto, method.left), nodes_to_exclude=[],
            op_types_to_quantize=[*QUANTISED_OPS, FULLY_CONNECTED], extra_options={},
        )  # fmt: skip
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    return quantizer.model.model


def quantise(
    proto: onnx.ModelProto, paths: Sequence[Path], method: Method = Method()
) -> onnx.ModelProto:
    """The int8 form of an exported model, calibrated by the ranges of its activations.

    Args:
        proto: What `to_onnx` returns, in single precision.
        paths: Calibration images, as the detector will see them; `picked` ones of them are used.
        method: How.

    Raises:
        ValueError: If there are no images or one cannot be read.
    """
    if not paths:
        raise ValueError('int8 needs calibration images: give some hundred')
    info = ModelInfo.from_json(info_text(proto))
    result = quantised(proto, list(resized_images(picked(paths), info)), method)
    add_info(result, replace(info, precision='int8'))
    return result

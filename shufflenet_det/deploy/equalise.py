"""Channels of neighbouring convs brought to like ranges, which changes no value of a graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .onnx_runtime import InferenceSession

HOMOGENEOUS = ('Relu', 'LeakyRelu')
"""Activations f with f(s x) = s f(x) for s > 0."""

LEAST = 1e-3
"""Channels whose range is below this share of the widest are stretched no further."""


@dataclass(frozen=True)
class Pair:
    """A conv and the only one that reads it.

    Args:
        first, second: The convs.
        between: What the second reads: the first's output, or its activation's.
        depthwise: Whether the second filters each channel by itself.
    """

    first: onnx.NodeProto
    second: onnx.NodeProto
    between: str
    depthwise: bool


def pairs(graph: onnx.GraphProto) -> Iterator[Pair]:
    """Convs with weights of their own, whose output only one other conv reads, in their order."""
    weights = {weight.name: list(weight.dims) for weight in graph.initializer}
    uses = Counter(name for node in graph.node for name in node.input)
    readers = {name: node for node in graph.node for name in node.input}
    given = {value.name for value in graph.output}

    def only_reader(value: str) -> onnx.NodeProto | None:
        return readers[value] if uses[value] == 1 and value not in given else None

    def own(node: onnx.NodeProto) -> bool:
        return len(node.input) == 3 and all(
            name in weights and uses[name] == 1 for name in node.input[1:]
        )

    for first in graph.node:
        if first.op_type != 'Conv' or not own(first):
            continue
        between, second = first.output[0], only_reader(first.output[0])
        if second is not None and second.op_type in HOMOGENEOUS:
            between, second = second.output[0], only_reader(second.output[0])
        if second is not None and second.op_type == 'Conv' and own(second):
            channels = weights[first.input[1]][0]
            groups = next((a.i for a in second.attribute if a.name == 'group'), 1)
            if groups in (1, channels):
                yield Pair(first, second, between, groups > 1)


def channel_ranges(
    proto: onnx.ModelProto, names: list[str], images: Iterable[np.ndarray]
) -> dict[str, np.ndarray]:
    """The largest magnitude of each channel (C,) of values (N, C, H, W) on images."""
    shown = onnx.ModelProto()
    shown.CopyFrom(proto)
    shown.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    session = InferenceSession(shown.SerializeToString(), providers=['CPUExecutionProvider'])
    found: dict[str, np.ndarray] = {}
    for image in images:
        for name, value in zip(names, session.run(names, dict(images=image)), strict=True):
            largest = np.abs(value).max((0, 2, 3))
            found[name] = np.maximum(found.get(name, 0), largest)
    return found


def equalise(proto: onnx.ModelProto, images: Iterable[np.ndarray]) -> onnx.ModelProto:
    """A graph of the same values, whose maps between two convs have channels of like ranges.

    Source: arXiv 1906.04721, section 4.1, with measured ranges of the activations. A channel is
    divided by a factor in the first conv and multiplied by it in the second. A depthwise conv has
    a scale of its own for each channel in int8, so that the channels in front of it get one range;
    in front of another conv, the range of its weights counts as much.

    Args:
        proto: In single precision.
        images: (1, 3, H, W) uint8 as the graph reads them.
    """
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    found = list(pairs(result.graph))
    ranges = channel_ranges(result, [pair.between for pair in found], images) if found else {}
    stored = {weight.name: weight for weight in result.graph.initializer}
    values = {name: numpy_helper.to_array(weight) for name, weight in stored.items()}
    for pair in found:
        weight, bias = pair.first.input[1:]
        read = pair.second.input[1]
        factor = _factor(ranges[pair.between], None if pair.depthwise else values[read])
        values[weight] = values[weight] / factor.reshape(-1, 1, 1, 1)
        values[bias] = values[bias] / factor
        shape = (-1, 1, 1, 1) if pair.depthwise else (1, -1, 1, 1)
        values[read] = values[read] * factor.reshape(shape)
    for name in {name for pair in found for conv in (pair.first, pair.second)
                 for name in conv.input[1:]}:  # fmt: skip
        stored[name].CopyFrom(numpy_helper.from_array(values[name].astype(np.float32), name))
    return result


def _factor(activations: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """What each channel (C,) is divided by; 1 where nothing is read."""
    factor = np.maximum(activations / max(activations.max(), np.finfo(np.float32).tiny), LEAST)
    if weights is None:
        return factor
    read = np.abs(weights).max((0, 2, 3))
    alive = read > 0
    read = np.maximum(read / max(read.max(), np.finfo(np.float32).tiny), LEAST)
    return np.where(alive, np.sqrt(factor / read), 1.0)

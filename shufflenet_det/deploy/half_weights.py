"""Weights of an exported model stored in half precision and computed with in single."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper, numpy_helper

SMALLEST = 256
"""Elements from which on a tensor is halved; shorter ones are biases, means and sizes."""


def halve_weights(proto: onnx.ModelProto) -> None:
    """Store the large tensors in half precision, each behind a Cast to single.

    ONNX Runtime casts them once when it opens the file, so that it runs as fast as in single
    precision, on CPUs too, whose convs have no half precision.
    """
    casts = []
    for weight in proto.graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type == TensorProto.FLOAT and values.size >= SMALLEST:
            name, stored = weight.name, f'{weight.name}.half'
            weight.CopyFrom(numpy_helper.from_array(values.astype('float16'), stored))
            casts.append(helper.make_node('Cast', [stored], [name], to=TensorProto.FLOAT))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(casts + nodes)

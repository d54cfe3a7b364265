"""The parts of a cut detector as ONNX graphs: convs and matrix products of any size."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..selection_spec import output_names
from .split import Parts


def onnx_graphs(parts: Parts) -> dict[str, bytes]:
    """``trunk`` and, of two-stage detectors, ``head``; input and outputs have numbered names."""
    graphs = {'trunk': (parts.trunk, parts.image, {2: 'height', 3: 'width'})}
    if parts.head is not None:
        graphs['head'] = parts.head, parts.rois, {0: 'rois'}
    return {name: _graph(*graph, output_names(parts.spec, name)) for name, graph in graphs.items()}


def _graph(
    module: nn.Module, example: Tensor, axes: Mapping[int, str], outputs: list[str]
) -> bytes:
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # this exporter is the older of two, and as exact
        torch.onnx.export(
            module, (example,), buffer, dynamo=False, opset_version=18, input_names=['in0'],
            output_names=outputs, dynamic_axes={'in0': axes},
        )  # fmt: skip
    return buffer.getvalue()

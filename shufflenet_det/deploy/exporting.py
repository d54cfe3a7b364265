"""From a detector to the content of a file for any runtime."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from torch import nn

from .onnx_export import check, model_info, to_onnx
from .request import Request
from .switch import switch_to_deploy
from .writers.split import Parts, split


def export(model: nn.Module, cfg: Mapping, request: Request) -> bytes:
    """The content of a file that ``runtime.Detector`` opens.

    Args:
        model: Detector with a ShuffleNetV2, and `dataset_meta`; switched to deploy form in place.
        cfg: Its config, for the test pipeline.
        request: What the file shall be.

    Raises:
        ValueError: If the detector cannot be exported, or does not run as a graph.
        ImportError: If a package of the format is missing.
    """
    write = request.format.load_writer()
    return write(graph_of(model, cfg, request), request)


def graph_of(model: nn.Module, cfg: Mapping, request: Request) -> onnx.ModelProto | Parts:
    """What a format's writer takes; arguments as for :func:`export`."""
    if not request.format.whole:
        info = model_info(model, cfg, request.output, request.precision)
        return split(switch_to_deploy(model), info)
    half, opset, align = graph_key(request)
    proto = to_onnx(model, cfg, request.output, half, opset, align)
    check(proto)
    return proto


def graph_key(request: Request) -> tuple[bool, int, int | None]:
    """Half precision, opset and alignment: requests that agree in these share their graph."""
    own = request.to == 'onnx'
    return own and request.precision == 'fp16', request.opset, request.align if own else 1

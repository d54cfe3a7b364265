"""From a detector to the content of a file for any runtime."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from .onnx_export import check, model_info, to_onnx
from .request import Request
from .switch import switch_to_deploy
from .writers.split import split


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
    if not request.format.whole:
        info = model_info(model, cfg, request.output, request.precision)
        parts = split(switch_to_deploy(model), info)
        return write(parts, request)
    half, align = False, 1
    if request.to == 'onnx':
        half, align = request.precision == 'fp16', request.align
    proto = to_onnx(model, cfg, request.output, half, request.opset, align)
    check(proto)
    return write(proto, request)

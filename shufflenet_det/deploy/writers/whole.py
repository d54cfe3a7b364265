"""ONNX Runtime takes the graph as it is."""

from __future__ import annotations

import onnx

from ..quantize import quantise
from ..request import Request


def write_onnx(proto: onnx.ModelProto, request: Request) -> bytes:
    """An .onnx file with our metadata.

    Raises:
        ValueError: As ``quantize.quantise``.
    """
    if request.precision == 'int8':
        proto = quantise(proto, request.calibration)
    return proto.SerializeToString()

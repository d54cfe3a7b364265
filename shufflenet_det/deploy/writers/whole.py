"""ONNX Runtime and OpenCV take the graph as it is."""

from __future__ import annotations

import onnx

from ..archive import Archive
from ..engines.opencv import ONNX
from ..onnx_export import info_text
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


def write_opencv(proto: onnx.ModelProto, request: Request) -> bytes:
    """An archive with the graph for OpenCV 5."""
    return Archive('opencv', info_text(proto), {ONNX: proto.SerializeToString()}).to_bytes()

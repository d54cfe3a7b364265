"""OpenVINO's intermediate representation."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import onnx
import openvino

from ..archive import Archive
from ..engines.openvino import BIN, XML
from ..model_info import ModelInfo
from ..onnx_export import info_text
from ..quantize import quantise
from ..request import Request


def write(proto: onnx.ModelProto, request: Request) -> bytes:
    """An archive with the IR; fp16 halves the weights, sums stay in fp32.

    int8 is ONNX Runtime's: OpenVINO reads its QuantizeLinear / DequantizeLinear pairs.

    Raises:
        ValueError: As ``quantize.quantise``.
    """
    info = ModelInfo.from_json(info_text(proto))
    if request.precision == 'int8':
        proto = quantise(proto, request.calibration)
    graph = openvino.Core().read_model(proto.SerializeToString(), b'')
    with tempfile.TemporaryDirectory() as folder:
        half = request.precision == 'fp16'
        openvino.save_model(graph, Path(folder, XML), compress_to_fp16=half)
        files = {name: Path(folder, name).read_bytes() for name in (XML, BIN)}
    text = json.dumps(asdict(replace(info, precision=request.precision)))
    return Archive('openvino', text, files).to_bytes()

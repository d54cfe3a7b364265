"""OpenVINO's intermediate representation, in int8 by nncf."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import onnx
import openvino
from numpy import ndarray

from ..archive import Archive
from ..engines.openvino import BIN, XML
from ..model_info import ModelInfo
from ..onnx_export import info_text
from ..quantize import quantised_nodes, resized_images
from ..request import Request


def write(proto: onnx.ModelProto, request: Request) -> bytes:
    """An archive with the IR; fp16 halves the weights, int8 is where ONNX Runtime has it."""
    info = ModelInfo.from_json(info_text(proto))
    graph = openvino.Core().read_model(proto.SerializeToString(), b'')
    if request.precision == 'int8':
        graph = _quantised(graph, proto, resized_images(request.calibration, info))
    with tempfile.TemporaryDirectory() as folder:
        half = request.precision == 'fp16'
        openvino.save_model(graph, Path(folder, XML), compress_to_fp16=half)
        files = {name: Path(folder, name).read_bytes() for name in (XML, BIN)}
    text = json.dumps(asdict(replace(info, precision=request.precision)))
    return Archive('openvino', text, files).to_bytes()


def _quantised(
    graph: openvino.Model, proto: onnx.ModelProto, images: Iterable[ndarray]
) -> openvino.Model:
    import nncf  # for int8 only

    chosen = set(quantised_nodes(proto))
    dense = {'Convolution', 'GroupConvolution', 'MatMul'}
    left = [op.get_friendly_name() for op in graph.get_ops()
            if op.get_type_name() in dense and op.get_friendly_name() not in chosen]  # fmt: skip
    images = list(images)
    scope = nncf.IgnoredScope(names=left)
    return nncf.quantize(graph, nncf.Dataset(images), subset_size=len(images), ignored_scope=scope)

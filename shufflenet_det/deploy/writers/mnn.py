"""MNN through its converter of ONNX graphs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from ..archive import Archive
from ..request import Request
from ..selection_spec import output_names
from .split import Parts

CONVERT = 'import sys, _tools; _tools.mnnconvert(sys.argv)'
"""In a process of its own: the converter writes to the standard output and may end the process."""


def write(parts: Parts, request: Request) -> bytes:
    """An archive with trunk and head, each a .mnn.

    Raises:
        ValueError: If MNN does not convert a graph.
    """
    graphs = {'trunk': (parts.trunk, parts.image, {2: 'height', 3: 'width'})}
    if parts.head is not None:
        graphs['head'] = parts.head, parts.rois, {0: 'rois'}
    options = ['--fp16'] if request.precision == 'fp16' else []
    files = {
        f'{name}.mnn': _converted(name, *graph, output_names(parts.spec, name), options)
        for name, graph in graphs.items()
    }
    return Archive('mnn', json.dumps(asdict(parts.info)), files, parts.spec).to_bytes()


def _converted(
    name: str,
    module: nn.Module,
    example: Tensor,
    axes: dict[int, str],
    outputs: list[str],
    options: list[str],
) -> bytes:
    graph = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # this exporter is the older of two, and as exact
        torch.onnx.export(
            module, (example,), graph, dynamo=False, opset_version=18, input_names=['in0'],
            output_names=outputs, dynamic_axes={'in0': axes},
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, f'{name}.onnx'), Path(folder, f'{name}.mnn')
        source.write_bytes(graph.getvalue())
        command = ['-f', 'ONNX', '--modelFile', source, '--MNNModel', target, *options]
        command += ['--bizCode', 'shufflenet_det']
        done = subprocess.run([sys.executable, '-c', CONVERT, *map(str, command)],
                              capture_output=True, text=True)  # fmt: skip
        if done.returncode or not target.is_file():
            said = (done.stdout + done.stderr).strip().split('\n')[-1]
            raise ValueError(f'MNN does not convert the {name} ({said})')
        return target.read_bytes()

"""MNN through its converter of ONNX graphs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from ..archive import Archive
from ..request import Request
from .parts_onnx import onnx_graphs
from .split import Parts

CONVERT = 'import sys, _tools; _tools.mnnconvert(sys.argv)'
"""In a process of its own: the converter writes to the standard output and may end the process."""


def write(parts: Parts, request: Request) -> bytes:
    """An archive with trunk and head, each a .mnn.

    Raises:
        ValueError: If MNN does not convert a graph.
    """
    options = ['--fp16'] if request.precision == 'fp16' else []
    files = {
        f'{name}.mnn': _converted(name, graph, options)
        for name, graph in onnx_graphs(parts).items()
    }
    return Archive('mnn', json.dumps(asdict(parts.info)), files, parts.spec).to_bytes()


def _converted(name: str, graph: bytes, options: list[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, f'{name}.onnx'), Path(folder, f'{name}.mnn')
        source.write_bytes(graph)
        command = ['-f', 'ONNX', '--modelFile', source, '--MNNModel', target, *options]
        command += ['--bizCode', 'shufflenet_det']
        done = subprocess.run([sys.executable, '-c', CONVERT, *map(str, command)],
                              capture_output=True, text=True)  # fmt: skip
        if done.returncode or not target.is_file():
            said = (done.stdout + done.stderr).strip().split('\n')[-1]
            raise ValueError(f'MNN does not convert the {name} ({said})')
        return target.read_bytes()

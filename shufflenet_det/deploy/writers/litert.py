"""LiteRT through litert-torch, whose graphs have one size."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import litert_torch
import torch
from torch import Tensor, nn

from ..archive import Archive
from ..request import Request
from .split import Parts, largest_image


def write(parts: Parts, request: Request) -> bytes:
    """An archive with trunk and head, each a .tflite, for images padded to the largest.

    Raises:
        ValueError: If the test pipeline does not resize.
    """
    canvas = largest_image(parts.info)
    files = {'trunk.tflite': _converted(parts.trunk, torch.zeros(1, 3, *canvas))}
    if parts.head is not None:
        files['head.tflite'] = _converted(parts.head, parts.rois)
    spec = parts.spec | dict(canvas=canvas)
    return Archive('litert', json.dumps(asdict(parts.info)), files, spec).to_bytes()


def _converted(module: nn.Module, example: Tensor) -> bytes:
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder, 'graph.tflite')
        with torch.no_grad():
            litert_torch.convert(module.eval(), (example,)).export(str(path))
        return path.read_bytes()

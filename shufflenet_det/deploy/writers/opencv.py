"""ONNX graphs for OpenCV 5, whose RoIAlign fails on some pictures with a pyramid."""

from __future__ import annotations

import json
from dataclasses import asdict

from ..archive import Archive
from ..request import Request
from .parts_onnx import onnx_graphs
from .split import Parts


def write(parts: Parts, request: Request) -> bytes:
    """An archive with trunk and head, each a .onnx."""
    files = {f'{name}.onnx': content for name, content in onnx_graphs(parts).items()}
    return Archive('opencv', json.dumps(asdict(parts.info)), files, parts.spec).to_bytes()

"""ncnn through pnnx."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import pnnx
import torch
from torch import Tensor, nn

from ..archive import Archive
from ..request import Request
from .split import Parts


def write(parts: Parts, request: Request) -> bytes:
    """An archive with trunk and head, each a .param and a .bin.

    Raises:
        ValueError: If pnnx leaves an operator that ncnn does not have.
    """
    image = parts.image
    other = torch.zeros(1, 3, image.shape[2] + 64, image.shape[3] - 64)
    half = request.precision == 'fp16'
    files = _converted('trunk', parts.trunk, image, other, half)
    if parts.head is not None:
        files |= _converted('head', parts.head, parts.rois[:1], None, half)
    return Archive('ncnn', json.dumps(asdict(parts.info)), files, parts.spec).to_bytes()


def _converted(
    name: str, module: nn.Module, example: Tensor, other: Tensor | None, half: bool
) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder, f'{name}.pt')
        with torch.no_grad():
            torch.jit.trace(module, example, check_trace=False).save(path)
        pnnx.convert(str(path), example, other, fp16=half, optlevel=2)
        param, weights = (Path(folder, f'{name}.ncnn.{end}') for end in ('param', 'bin'))
        if not param.exists():
            raise ValueError(f'pnnx does not convert the {name} ({os.listdir(folder)})')
        layers = {line.split()[0] for line in param.read_text().splitlines()[2:]}
        if unknown := [layer for layer in layers if '.' in layer]:  # pnnx leaves torch's name
            raise ValueError(f'ncnn has no layer for {", ".join(sorted(unknown))} of the {name}')
        return {f'{name}.param': param.read_bytes(), f'{name}.bin': weights.read_bytes()}

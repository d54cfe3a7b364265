"""Files of every runtime that is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
from mmengine.config import Config
from small_detector import Files, made_once

from shufflenet_det.deploy.exporting import export
from shufflenet_det.deploy.formats import FORMATS, Format
from shufflenet_det.deploy.request import Request

OTHERS = [name for name, row in FORMATS.items() if row.engine and name != 'onnx']


def installed(row: Format) -> bool:
    return all(find_spec(name) for name in row.modules)


def needs(name: str) -> pytest.param:
    reason = f'needs {", ".join(FORMATS[name].modules)}: {FORMATS[name].pip}'
    return pytest.param(name, marks=pytest.mark.skipif(not installed(FORMATS[name]), reason=reason))


def write(files: Files, name: str, folder: Path) -> Path:
    asked = Request(name)
    path = folder / (files.form + asked.format.suffix)
    with made_once(path) as missing:
        if missing and asked.format.whole:
            path.write_bytes(asked.format.load_writer()(onnx.load(files.onnx), asked))
        elif missing:
            model = files.predictor().model
            path.write_bytes(export(model, Config.fromfile(files.config), asked))
    return path

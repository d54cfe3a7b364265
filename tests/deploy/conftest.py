"""Small detectors, exported once for all tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_detector import CONFIGS, Files, make_files, run_tool


@pytest.fixture(scope='session')
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('deploy')


@pytest.fixture(scope='session')
def single(folder) -> Files:
    files = make_files('single', folder)
    run_tool('export', files.config, files.checkpoint, '--out', files.onnx)
    return files


@pytest.fixture(scope='session')
def fpn(folder) -> Files:
    files = make_files('fpn', folder)
    run_tool('export', files.config, files.checkpoint, '--out', files.onnx)
    return files


@pytest.fixture(params=CONFIGS)
def exported(request) -> Files:
    """Both forms in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope='session')
def image() -> np.ndarray:
    """Blobs of several sizes and colours, (150, 200, 3) uint8."""
    random = np.random.default_rng(0)
    levels = [random.integers(0, 256, (150 // s, 200 // s, 3)).repeat(s, 0).repeat(s, 1)
              for s in (50, 25, 10, 5)]  # fmt: skip
    return np.mean(levels, 0).astype(np.uint8)

"""Small detectors, exported once for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from small_detector import CONFIGS, Files, make_files
from written import OTHERS, needs, write


@pytest.fixture(scope='session')
def folder(tmp_path_factory) -> Path:
    """Of the detectors: one for all processes that share the tests."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if 'PYTEST_XDIST_WORKER' in os.environ else own) / 'deploy'
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope='session')
def files(folder) -> Callable[[str], Files]:
    """Config and checkpoint of a form, made once."""
    return cache(lambda form: make_files(form, folder))


@pytest.fixture(scope='session')
def single(files) -> Files:
    return files('single')


@pytest.fixture(scope='session')
def fpn(files) -> Files:
    return files('fpn')


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


@pytest.fixture(scope='session', params=[needs(name) for name in OTHERS])
def written(request, single, fpn, folder) -> dict[str, Path]:
    """Files of one runtime by form."""
    return {files.form: write(files, request.param, folder) for files in (single, fpn)}

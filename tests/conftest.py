import os
import random
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from versions import OLD_EXPORTER

import shufflenet_det  # noqa: F401  registers modules and provides mmcv's ops for every test

DATA_VARIABLE = 'SHUFFLENET_DET_TEST_DATA'


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator:
    return (yield from skip_without_exporter())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator:
    return (yield from skip_without_exporter())


def skip_without_exporter() -> Generator:
    """Skip what this torch, allowed for training, is too old to export."""
    try:
        return (yield)
    except Exception as error:
        if type(error).__name__ == 'ExportFailed' and OLD_EXPORTER:
            pytest.skip(str(error))
        raise


def pytest_configure() -> None:
    # Small tensors: more threads cost more than they give, above all beside other processes.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def mmdet_scope() -> None:
    # whichever scope a Runner of an earlier test left behind
    init_default_scope('mmdet')


@pytest.fixture(scope='session')
def test_data() -> Path:
    """The folder of real images, annotations and weights; tests that need it skip without it."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        pytest.skip(f'needs real data: set {DATA_VARIABLE} to the folder that holds it')
    if not Path(folder).is_dir():
        pytest.fail(f'{DATA_VARIABLE}={folder} is not a folder')
    return Path(folder)

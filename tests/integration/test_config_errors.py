"""A config that cannot be read ends in an error of one line that names it, wherever it is read."""

import pytest
from mmengine.config import Config

from shufflenet_det.deploy.detector import build_model
from shufflenet_det.detectors.swap import read_config
from shufflenet_det.training.launch import load_config
from shufflenet_det.training.options import apply_options

READERS = {
    'tools': load_config,
    'swap': read_config,
    'option': lambda path: apply_options(Config(), [str(path)]),
}
WRONG = {
    b'model = dict(': (ValueError, "line 1: '\\(' was never closed"),
    b'width = undefined': (ValueError, "NameError: name 'undefined' is not defined"),
    b'work_dir = open("/")': (ValueError, 'IsADirectoryError'),
    b'import os, sys': (ValueError, 'AssertionError: Illegal syntax in config'),
    b'assert False': (ValueError, 'AssertionError'),
    b'\xff\xfe\x00': (ValueError, "UnicodeDecodeError: 'utf-8' codec"),
    b"_base_ = 'json::a.py'": (FileNotFoundError, 'json ships no configs'),
    b'a = __import__("not_there_at_all")': (ImportError, 'not_there_at_all'),
}


@pytest.mark.parametrize('content', WRONG, ids=repr)
@pytest.mark.parametrize('reader', READERS)
def test_config_that_cannot_be_read_is_named(reader, content, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_bytes(content)
    error, cause = WRONG[content]
    with pytest.raises(error, match=cause) as raised:
        READERS[reader](path)
    assert error is FileNotFoundError or str(raised.value).startswith(str(path))
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize(
    'model, cause',
    [
        (dict(), "no attribute 'model'"),
        (dict(model=dict(type='NobodysNet')), 'NobodysNet is not in the mmdet::model registry'),
        (dict(model=dict(type='SingleStageDetector')), 'backbone'),
        (dict(model=[1]), 'list'),
    ],
)
def test_model_that_does_not_build_is_named(model, cause):
    with pytest.raises(ValueError, match=rf'mine\.py does not build a detector: .*{cause}'):
        build_model(Config(model), 'mine.py')

"""What is no file of ours and no option is refused in one line that says what is allowed."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import METADATA, info, write_model
from PIL import Image

from shufflenet_det.deploy.archive import MEMBER, Archive
from shufflenet_det.deploy.runtime import Detector

IMAGE = np.zeros((12, 16, 3), np.uint8)


@pytest.fixture
def path(tmp_path) -> Path:
    """A small file as it should be."""
    return write_model(tmp_path / 'a.onnx')


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(IMAGE).save(buffer, kind)
    return buffer.getvalue()


def checkpoint() -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(a=torch.zeros(2)), buffer)
    return buffer.getvalue()


FILES = {
    'nothing': b'',
    'text': b'a detector',
    'zeros': bytes(64),
    'JPEG': encoded('jpeg'),
    'PNG': encoded('png'),
    'PyTorch': checkpoint(),
    'an empty zip': b'PK\x05\x06' + bytes(18),
    'half a zip': b'PK\x03\x04' + bytes(20),
    'OpenVINO': b'<?xml version="1.0"?>\n<net name="a" version="11"></net>',
    'ncnn': b'7767517\n1 1\nInput in0 0 1 in0\n',
    'LiteRT': b'\x1c\x00\x00\x00TFL3' + bytes(64),
    'ExecuTorch': b'\x1c\x00\x00\x00ET12' + bytes(64),
    'ONNX Runtime': b'\x1c\x00\x00\x00ORTM' + bytes(64),
    'TensorRT': b'ftrt' + bytes(64),
    'HDF5': b'\x89HDF\r\n\x1a\n' + bytes(64),
    'gzip': b'\x1f\x8b\x08' + bytes(64),
    'pickle': b'\x80\x02}q\x00.',
    'a safetensors': b'\x10\x00\x00\x00\x00\x00\x00\x00{"a":{}}        ',
}
"""Name -> content of a file of another program."""


@pytest.mark.parametrize('name', FILES)
def test_file_of_another_program_is_refused(tmp_path, name):
    path = tmp_path / 'a.onnx'
    path.write_bytes(FILES[name])
    with pytest.raises(ValueError, match=r'a\.onnx: .*; (write it with|copy it again)'):
        Detector(path)


def test_file_that_is_cut_anywhere_is_refused(path):
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r'a\.onnx: .*write it with'):
            Detector(path)


def test_archive_that_is_cut_anywhere_is_refused():
    content = Archive('ncnn', '{}', {'trunk.param': b'7767517'}, {}).to_bytes()
    for length in range(len(content)):
        with pytest.raises(ValueError, match='cut or corrupt'):
            Archive.from_bytes(content[:length])


def test_archive_that_is_altered_anywhere_is_refused_or_lacks_a_file():
    archive = Archive('ncnn', '{}', {'trunk.param': b'7767517'}, {})
    content = archive.to_bytes()
    for place in range(len(content)):
        altered = content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
        try:
            read = Archive.from_bytes(altered)
        except ValueError:
            continue
        assert read.files.items() <= archive.files.items()
        assert replace(read, files=archive.files) == archive


@pytest.mark.parametrize('name', [name for name in METADATA if METADATA[name][0] != '{'])
def test_wrong_metadata_of_an_archive_is_refused(tmp_path, name):
    metadata, message = METADATA[name]
    text = metadata if isinstance(metadata, str) else json.dumps(metadata, default=lambda _: None)
    own = f'{{"version": 1, "runtime": "openvino", "selection": null, "info": {text}}}'
    path = tmp_path / 'a.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr(MEMBER, own)
    with pytest.raises(ValueError, match=rf'a\.zip: {MEMBER}: .*{message}'):
        Detector(path)


GIVEN = {
    'a folder': ('', IsADirectoryError, 'a folder; give the file of tools/export.py'),
    'nothing there': ('none.onnx', FileNotFoundError, r'none\.onnx: no such file; write it with'),
    'a name misspelt': ('blood_cells', FileNotFoundError, 'one in the package: blood-cells$'),
    'a name of weights': (
        'nanodet-plus-m-416',
        FileNotFoundError,
        r'tools/detect\.py --model nanodet-plus-m-416',
    ),
    'below a file': ('a.onnx/b.onnx', FileNotFoundError, r'b\.onnx: no such file'),
}
"""Name -> what is given below the folder, the error and what it says."""


@pytest.mark.parametrize('name', GIVEN)
def test_path_without_a_file_is_named(path, name):
    given, error, message = GIVEN[name]
    with pytest.raises(error, match=message):
        Detector(path.parent / given)


@pytest.mark.parametrize('given', [None, 3, b'a.onnx', ['a.onnx'], IMAGE])
def test_what_is_no_path_is_refused(given):
    message = f'must be the path of a file of tools/export.py, got {type(given).__name__}'
    with pytest.raises(ValueError, match=message):
        Detector(given)


OPTIONS = {
    'num_threads': ([-1, 2.5, '2', None, True, 10**6], 'num_threads is .*, allowed is 0 to'),
    'providers': (
        ['CPUExecutionProvider', (), None, [1], ('NoProvider',)],
        'providers (is|has) .*, allowed (is|are) .*CPUExecutionProvider',
    ),
    'size': (['320', 320.5, float('nan'), 10**9, True, 31, -320], 'size.* is .*, allowed is 32 to'),
}
"""Option -> values that it cannot have, what the message says."""


@pytest.mark.parametrize(
    'option, value', [(name, value) for name, (values, _) in OPTIONS.items() for value in values]
)
def test_option_of_another_type_or_range_is_refused(path, option, value):
    with pytest.raises(ValueError, match=OPTIONS[option][1]):
        Detector(path, **{option: value})


def test_providers_of_other_machines_alone_are_refused(path):
    with pytest.raises(ValueError, match='installed are .*CPUExecutionProvider'):
        Detector(path, providers=['CoreMLExecutionProvider'])
    assert Detector(path, providers=['CoreMLExecutionProvider', 'CPUExecutionProvider']).classes


def test_numbers_of_numpy_are_options(path):
    detector = Detector(path, num_threads=np.int64(1), size=np.int32(64))
    assert detector.info.resize.scale == (64, 48)


def test_size_of_a_file_that_does_not_resize_is_refused(tmp_path):
    path = write_model(tmp_path / 'a.onnx', info(resize=None))
    with pytest.raises(ValueError, match=r'a\.onnx: takes images as they are'):
        Detector(path, size=64)

"""Archives that are none of ours are refused by every runtime, and the process lives."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from shufflenet_det.deploy.archive import MEMBER, Archive
from shufflenet_det.deploy.formats import FORMATS
from shufflenet_det.deploy.runtime import Detector


def changed(archive: Archive, **head: object) -> bytes:
    """The archive's bytes with other fields in MEMBER."""
    own = dict(version=1, runtime=archive.runtime, info=json.loads(archive.info),
               selection=archive.selection)  # fmt: skip
    return _zipped({MEMBER: json.dumps(own | head), **archive.files})


def _zipped(files: dict[str, str | bytes], **kwargs) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', **kwargs) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


FAULTS = {
    'cut': (lambda a: a.to_bytes()[:-1000], 'cut or corrupt'),
    'half': (lambda a: a.to_bytes()[: len(a.to_bytes()) // 2], 'cut or corrupt'),
    'altered': (lambda a: _altered(a.to_bytes()), 'cut or corrupt'),
    'of another program': (lambda a: _zipped({'word/document.xml': 'x'}), 'of another program'),
    'compressed': (lambda a: _zipped({MEMBER: '{}'}, compression=8), 'compressed'),
    'newer': (lambda a: changed(a, version=2), 'version is 2, .* a newer one may read it'),
    'unknown runtime': (lambda a: changed(a, runtime='tvm'), "for 'tvm', known are openvino"),
    'another field': (lambda a: changed(a, tiles=2), "fields are .*'tiles'"),
    'no classes': (lambda a: changed(a, info=dict(json.loads(a.info), classes=[])), 'classes is'),
    'wrong selection': (lambda a: changed(a, selection=dict(rpn=1)), 'selection'),
    'no graph': (lambda a: replace(a, files={}).to_bytes(), r'is not in it; write it with'),
    'foreign graph': (lambda a: _with_graphs(a, lambda _: b'nonsense'), 'write it with'),
    'empty graph': (lambda a: _with_graphs(a, lambda _: b''), 'write it with'),
    'half a graph': (lambda a: _with_graphs(a, lambda own: own[: len(own) // 2]), 'write it with'),
    'a graph of zeros': (lambda a: _with_graphs(a, lambda own: bytes(len(own))), 'write it with'),
}  # fmt: skip
"""Name -> file made of an archive of ours, what the message says."""


def _with_graphs(archive: Archive, change: Callable[[bytes], bytes]) -> bytes:
    return replace(archive, files={k: change(v) for k, v in archive.files.items()}).to_bytes()


def _altered(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize('fault', FAULTS)
def test_what_is_no_file_of_ours_is_refused(written, fault, tmp_path):
    make, message = FAULTS[fault]
    path = tmp_path / 'strange.zip'
    path.write_bytes(make(Archive.from_bytes(written['single'].read_bytes())))
    with pytest.raises(ValueError, match=f'{re.escape(str(path))}: .*{message}') as refusal:
        Detector(path)
    assert not re.search('Exception from|src/|Error:', str(refusal.value))


def test_exchanged_graphs_are_refused(written, tmp_path):
    archive = Archive.from_bytes(written['single'].read_bytes())
    if FORMATS[archive.runtime].whole:
        pytest.skip('one graph holds all')
    other = dict(trunk='head', head='trunk')
    names = {name: f'{other[name.split(".")[0]]}.{name.split(".")[1]}' for name in archive.files}
    exchanged = {names[name]: content for name, content in archive.files.items()}
    path = tmp_path / 'strange.zip'
    path.write_bytes(replace(archive, files=exchanged).to_bytes())
    with pytest.raises(ValueError, match=f'{re.escape(str(path))}: .*write it with'):
        Detector(path)


def test_fewer_classes_than_labels_are_refused(written, image, tmp_path):
    archive = Archive.from_bytes(written['fpn'].read_bytes())
    path = tmp_path / 'strange.zip'
    path.write_bytes(changed(archive, info=dict(json.loads(archive.info), classes=['circle'])))
    with pytest.raises(ValueError, match=f'{re.escape(str(path))}: '):
        Detector(path)(image)


def test_providers_are_onnx_runtimes(written):
    with pytest.raises(ValueError, match='only ONNX Runtime has providers'):
        Detector(written['single'], providers=('CUDAExecutionProvider',))

"""Every runtime finds what PyTorch finds, and refuses what is none of our files."""

from __future__ import annotations

import io
import json
import multiprocessing
import pickle
import re
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from mmengine.config import Config
from small_detector import CONFIGS, SCALE, Files, made_once

from shufflenet_det.deploy.archive import MEMBER, Archive
from shufflenet_det.deploy.exporting import export
from shufflenet_det.deploy.formats import FORMATS, Format
from shufflenet_det.deploy.request import Request
from shufflenet_det.deploy.runtime import Detector

PIXELS, SCORE = 1e-3, 1e-4
WINOGRAD = 5e-3
"""Pixels by which MNN differs, whose convs of 3x3 are computed in a rounder form."""
OTHERS = [name for name, row in FORMATS.items() if row.engine and name != 'onnx']


def installed(row: Format) -> bool:
    return all(find_spec(name) for name in row.modules)


def needs(name: str) -> pytest.param:
    reason = f'needs {", ".join(FORMATS[name].modules)}: {FORMATS[name].pip}'
    return pytest.param(name, marks=pytest.mark.skipif(not installed(FORMATS[name]), reason=reason))


@pytest.fixture(scope='session', params=[needs(name) for name in OTHERS])
def written(request, single, fpn, folder) -> dict[str, Path]:
    """Files of one runtime by form."""
    return {files.form: _write(files, request.param, folder) for files in (single, fpn)}


def _write(files: Files, name: str, folder: Path) -> Path:
    asked = Request(name)
    path = folder / (files.form + asked.format.suffix)
    with made_once(path) as missing:
        if missing and asked.format.whole:
            path.write_bytes(asked.format.load_writer()(onnx.load(files.onnx), asked))
        elif missing:
            model = files.predictor().model
            path.write_bytes(export(model, Config.fromfile(files.config), asked))
    return path


def assert_same(found, expected, pixels: float = PIXELS) -> None:
    (boxes, scores, labels), (boxes2, scores2, labels2) = found, expected
    np.testing.assert_array_equal(labels, labels2)
    np.testing.assert_allclose(scores, scores2, atol=SCORE, rtol=0)
    np.testing.assert_allclose(boxes, boxes2, atol=pixels, rtol=0)


def assert_finds_what_pytorch_finds(path: Path, files: Files, image: np.ndarray) -> int:
    """Returns the number of detections."""
    detector, predictor = Detector(path), files.predictor()
    if not FORMATS[detector.runtime].dynamic:  # pads all to one size, and so has PyTorch to
        predictor.model.data_preprocessor.pad_size_divisor = max(SCALE)
    expected = predictor(image)
    assert_same(detector(image), expected, WINOGRAD if detector.runtime == 'mnn' else PIXELS)
    return len(expected[0])


@pytest.mark.parametrize('size', [(150, 200), (97, 61), (300, 160)])
def test_detections_equal_pytorchs(written, exported: Files, image, size):
    image = np.resize(image, (*size, 3))
    assert assert_finds_what_pytorch_finds(written[exported.form], exported, image) > 3


def test_a_level_without_rois_is_no_fault(written, fpn):
    assert_finds_what_pytorch_finds(written['fpn'], fpn, np.zeros((128, 160, 3), np.uint8))


def test_a_thin_image_gives_the_same_each_time(written):
    """Maps of one row: OpenCV took what memory held before."""
    image = np.random.default_rng(0).integers(0, 256, (2, 300, 3), dtype=np.uint8)
    expected = Detector(written['fpn'])(image)
    for value in (np.nan, 1e20):
        np.full((64, 200_000), value, np.float32).sum()  # and is given back
        assert_same(Detector(written['fpn'])(image), expected)


@pytest.mark.parametrize('name', [needs('executorch'), needs('litert')])
def test_larger_images_than_planned_for_are_refused(name, single, folder):
    path = _write(single, name, folder)
    with pytest.raises(ValueError, match='fails on images .*: the file takes images of up to'):
        Detector(path, size=480)(np.zeros((480, 480, 3), np.uint8))


@pytest.fixture
def images(image) -> list[np.ndarray]:
    return [image, image[::-1], np.resize(image, (97, 61, 3)), 255 - image, image[:, ::-1]]


@pytest.mark.parametrize('batch', [1, 2, 8])
def test_a_list_gives_what_single_images_give(written, images, batch):
    detector = Detector(written['single'])
    for found, image in zip(detector.each(images, batch), images, strict=True):
        assert_same(found, detector(image))


def test_frames_are_taken_as_they_come(written, images):
    taken = []
    frames = (taken.append(i) or image for i, image in enumerate(images))
    for count, _ in enumerate(Detector(written['single']).each(frames), 1):
        assert len(taken) == count


def test_threads_share_a_detector(written, images):
    detector = Detector(written['single'], num_threads=1)
    with ThreadPoolExecutor(4) as pool:
        for found, image in zip(pool.map(detector, images * 3), images * 3, strict=True):
            assert_same(found, detector(image))


def _detect(image: np.ndarray) -> tuple:
    return SHARED[0](image)


SHARED: list[Detector] = []


@pytest.mark.skipif(sys.platform == 'win32', reason='no fork')
def test_a_forked_process_detects_the_same(written, images):
    detector = Detector(written['single'])
    expected = detector(images[0])
    SHARED[:] = [detector]
    with multiprocessing.get_context('fork').Pool(1) as pool:
        assert_same(pool.apply_async(_detect, (images[0],)).get(60), expected)


def _detect_in_threads(images: list[np.ndarray]) -> list[tuple]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(SHARED[0], images))


@pytest.mark.skipif(sys.platform == 'win32', reason='no fork')
def test_threads_of_a_forked_process_detect_the_same(written, images):
    detector = Detector(written['single'])
    expected = [detector(image) for image in images]
    SHARED[:] = [detector]
    with multiprocessing.get_context('fork').Pool(1) as pool:
        found = pool.apply_async(_detect_in_threads, (images,)).get(60)
    for ours, theirs in zip(found, expected, strict=True):
        assert_same(ours, theirs)


def test_two_detectors_in_threads_find_what_each_does_alone(written, images):
    detectors = [Detector(written[form], num_threads=1) for form in CONFIGS]
    expected = [[detector(image) for image in images] for detector in detectors]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda detector: [detector(image) for image in images * 2], detectors)
        for ours, theirs in zip(found, expected, strict=True):
            for one, other in zip(ours, theirs * 2, strict=True):
                assert_same(one, other)


def test_a_detector_is_pickled(written, image):
    detector = Detector(written['single'])
    assert_same(pickle.loads(pickle.dumps(detector))(image), detector(image))


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


@pytest.mark.parametrize('form', CONFIGS)
def test_fewer_classes_than_labels_are_refused(written, form, image, tmp_path):
    archive = Archive.from_bytes(written[form].read_bytes())
    path = tmp_path / 'strange.zip'
    path.write_bytes(changed(archive, info=dict(json.loads(archive.info), classes=['circle'])))
    with pytest.raises(ValueError, match=f'{re.escape(str(path))}: '):
        Detector(path)(image)


def test_providers_are_onnx_runtimes(written):
    with pytest.raises(ValueError, match='only ONNX Runtime has providers'):
        Detector(written['single'], providers=('CUDAExecutionProvider',))

"""Every runtime finds what PyTorch finds."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from small_detector import CONFIGS, SCALE, Files
from written import needs, write

from shufflenet_det.deploy.formats import FORMATS
from shufflenet_det.deploy.runtime import Detector

PIXELS, SCORE = 1e-3, 1e-4
WINOGRAD = 5e-3
"""Pixels by which MNN differs, whose convs of 3x3 are computed in a rounder form."""


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
    path = write(single, name, folder)
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


DROPPED = """
import gc, os, signal, sys, threading
from shufflenet_det.deploy.runtime import Detector
detectors = [Detector(sys.argv[1])]
dropping = threading.Thread(target=lambda: (detectors.clear(), gc.collect()))
dropping.start()
dropping.join()
signal.signal(signal.SIGUSR1, lambda *given: print('heard'))
os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.skipif(sys.platform == 'win32', reason='no SIGUSR1')
def test_a_signal_after_another_thread_dropped_a_detector_is_heard(written):
    """OpenVINO freed the first thread's stack for signals: SIGSEGV."""
    done = subprocess.run(
        [sys.executable, '-c', DROPPED, written['single']], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'heard'  # MNN says what the CPU has in front of it


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

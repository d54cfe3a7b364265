"""What is no image, and no list of images, is refused in one line that says what is allowed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from foreign import write_model
from PIL import Image

from shufflenet_det.deploy.runtime import Detector

IMAGE = np.zeros((12, 16, 3), np.uint8)


@pytest.fixture
def path(tmp_path) -> Path:
    """A small file as it should be."""
    return write_model(tmp_path / 'a.onnx')


IMAGES = {
    'grey': IMAGE[..., 0],
    'grey with an axis': IMAGE[..., :1],
    'RGBA': np.zeros((12, 16, 4), np.uint8),
    'several': IMAGE[None],
    '16 bit': IMAGE.astype(np.uint16),
    'signed': IMAGE.astype(np.int8),
    'float': IMAGE / 255,
    'true and false': IMAGE.astype(bool),
    'objects': IMAGE.astype(object),
    'no row': IMAGE[:0],
    'no column': IMAGE[:, :0],
    'no channel': IMAGE[..., :0],
    'a number': np.uint8(3),
    'a list': IMAGE.tolist(),
    'bytes': IMAGE.tobytes(),
    'Pillow': Image.fromarray(IMAGE),
    'torch': torch.from_numpy(IMAGE),
    'none': None,
}
"""Name -> what is no BGR image."""


@pytest.mark.parametrize('name', IMAGES)
def test_what_is_no_image_is_refused(path, name):
    message = r'must be a BGR array \(H, W, 3\) of uint8, .* or the path of an image file; got '
    with pytest.raises(ValueError, match=message):
        Detector(path)(IMAGES[name])


FILES_OF_IMAGES = {
    'grey': np.full((12, 16), 90, np.uint8),
    'RGBA': np.full((12, 16, 4), 90, np.uint8),
    '16 bit': np.full((12, 16, 3), 90 * 257, np.uint16),
    'grey of 16 bit': np.full((12, 16), 90 * 257, np.uint16),
}


@pytest.mark.parametrize('name', FILES_OF_IMAGES)
def test_image_file_of_another_kind_is_read_as_bgr(path, name):
    file = path.with_suffix('.png')
    cv2.imwrite(str(file), FILES_OF_IMAGES[name])
    assert len(Detector(path)(file)[0]) == 2


@pytest.mark.parametrize('content', [b'', b'text', bytes(64), b'PK\x03\x04', b'%PDF-1.4'])
def test_file_that_is_no_image_is_named(path, content):
    file = path.with_suffix('.jpg')
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.jpg: (the file is empty|not an image|cannot be)'):
        Detector(path)(file)


def test_folder_in_place_of_an_image_is_named(path):
    with pytest.raises(ValueError, match=f'{path.parent}: Is a directory'):
        Detector(path)(path.parent)


@pytest.mark.parametrize('given', [IMAGE, [IMAGE], ['a.jpg'], b'a.jpg', None, 0.0])
def test_source_of_another_type_is_refused(path, given):
    message = rf'source must be a path, .* got {type(given).__name__}; .* lists by each'
    with pytest.raises(ValueError, match=message):
        next(Detector(path).find_in(given))


class Named:
    """A path of another library."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_path_of_any_type_is_an_image(path):
    file = path.with_suffix('.png')
    cv2.imwrite(str(file), IMAGE)
    assert len(Detector(path)(Named(file))[0]) == 2


@pytest.mark.parametrize('score', ['0.3', None, float('nan'), -0.1, 1.5])
def test_threshold_that_is_no_score_is_refused(path, score):
    with pytest.raises(ValueError, match='score_thr is .*, allowed is 0 to 1'):
        next(Detector(path).find_in(path.parent, score))


@pytest.mark.parametrize('given', ['a.jpg', Path('a.jpg'), IMAGE, IMAGE[..., 0], None, 3, b'a.jpg'])
def test_one_image_in_place_of_several_is_refused(path, given):
    message = f'a list or an iterator of images is needed, got {type(given).__name__}; call'
    with pytest.raises(ValueError, match=message):
        Detector(path).each(given)


@pytest.mark.parametrize('batch', [0, -1, 2.5, '2', None, True])
def test_batch_that_is_no_number_above_0_is_refused(path, batch):
    with pytest.raises(ValueError, match='batch is .*, allowed is 1 to'):
        Detector(path).each([IMAGE], batch)


@pytest.mark.parametrize('none', [[], (), iter([]), np.zeros((0, 12, 16, 3), np.uint8), {}])
def test_no_image_gives_no_detections(path, none):
    assert list(Detector(path).each(none, 4)) == []


def test_images_of_an_array_are_taken_one_by_one(path):
    found = list(Detector(path).each(np.stack([IMAGE] * 3)))
    assert [len(boxes) for boxes, _, _ in found] == [2] * 3


def test_wrong_image_among_others_is_refused_after_those_before_it(path):
    frames = Detector(path).each([IMAGE, IMAGE[..., 0]])
    assert len(next(frames)[0]) == 2
    with pytest.raises(ValueError, match='must be a BGR array'):
        next(frames)

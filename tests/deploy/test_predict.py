import json

import cv2
import numpy as np
import pytest

from shufflenet_det.deploy.predict import detect, find_images


class OneBox:
    """Finds the same two objects in every image."""

    classes = ('cat', 'dog')

    def __call__(self, image):
        assert image.ndim == 3 and image.dtype == np.uint8
        return np.float32([[1, 2, 11, 22], [0, 0, 5, 5]]), np.float32([0.9, 0.1]), np.array([1, 0])


def write(path, shape=(40, 30, 3)):
    path.write_bytes(cv2.imencode(path.suffix, np.full(shape, 99, np.uint8))[1].tobytes())


@pytest.mark.parametrize('shape', [(40, 30, 3), (40, 30), (40, 30, 4), (1, 1, 3), (1, 500, 3)])
def test_picture_and_json_of_an_image(tmp_path, shape):
    write(tmp_path / 'a.PNG' if shape == (40, 30) else tmp_path / 'a.png', shape)
    assert detect(OneBox(), find_images(tmp_path), tmp_path / 'out') == []
    assert cv2.imread(str(tmp_path / 'out/a.png')).shape == (*shape[:2], 3)
    (found,) = json.loads((tmp_path / 'out/detections.json').read_text())['annotations']
    assert (found['bbox'], found['category_id']) == ([1, 2, 10, 20], 1)


def test_images_of_one_name_get_a_picture_each(tmp_path):
    for name in ('a.png', 'a.jpg', 'b.jpg'):
        write(tmp_path / name)
    detect(OneBox(), find_images(tmp_path), tmp_path / 'out')
    pictures = {path.name for path in (tmp_path / 'out').glob('*.png')}
    assert pictures == {'a.png.png', 'a.jpg.png', 'b.png'}

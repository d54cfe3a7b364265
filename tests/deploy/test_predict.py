import json
import runpy
import sys

import cv2
import numpy as np
import pytest
from paths import TOOLS

from shufflenet_det.deploy import predict
from shufflenet_det.deploy.predict import contact_sheet, detect, find_images


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
    detect(OneBox(), find_images(tmp_path), tmp_path / 'out')
    assert cv2.imread(str(tmp_path / 'out/a.png')).shape == (*shape[:2], 3)
    (found,) = json.loads((tmp_path / 'out/detections.json').read_text())['annotations']
    assert (found['bbox'], found['category_id']) == ([1, 2, 10, 20], 1)


def test_images_of_one_name_get_a_picture_each(tmp_path):
    for name in ('a.png', 'a.jpg', 'b.jpg'):
        write(tmp_path / name)
    pictures, unreadable = detect(OneBox(), find_images(tmp_path), tmp_path / 'out')
    names = ['a.jpg.png', 'a.png.png', 'b.png']
    assert pictures == [tmp_path / 'out' / name for name in names] and unreadable == []
    assert all(cv2.imread(str(path)).shape == (40, 30, 3) for path in pictures)


def test_image_that_cannot_be_read_is_reported(tmp_path, capsys):
    write(tmp_path / 'a.png')
    (tmp_path / 'b.png').write_bytes(b'')
    found = detect(OneBox(), find_images(tmp_path), tmp_path / 'out')
    assert found == ([tmp_path / 'out/a.png'], [tmp_path / 'b.png'])
    assert f'skipped: {tmp_path}/b.png: the file is empty' in capsys.readouterr().err


def test_sheet_of_no_picture_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='sheet.png: there is no picture'):
        contact_sheet([], tmp_path / 'sheet.png')


def tool(monkeypatch, folder, sheet):
    """tools/detect.py with the predictor OneBox."""
    monkeypatch.setattr(predict, 'load_predictor', lambda *_: OneBox())
    arguments = [folder, 'config.py', '--out-dir', folder / 'out', '--sheet', sheet]
    monkeypatch.setattr(sys, 'argv', ['detect.py', *map(str, arguments)])
    runpy.run_path(str(TOOLS / 'detect.py'), run_name='__main__')


def test_sheet_holds_images_of_one_name(tmp_path, monkeypatch):
    for name in ('a.png', 'a.jpg'):
        write(tmp_path / name)
    tool(monkeypatch, tmp_path, tmp_path / 'sheet.png')
    assert cv2.imread(str(tmp_path / 'sheet.png')).shape == (200, 800, 3)


def test_without_readable_image_there_is_a_line_and_no_sheet(tmp_path, monkeypatch):
    (tmp_path / 'a.png').write_bytes(b'')
    with pytest.raises(SystemExit, match='^1 of 1 images .*sheet.png is not written$'):
        tool(monkeypatch, tmp_path, tmp_path / 'sheet.png')
    assert not (tmp_path / 'sheet.png').exists()

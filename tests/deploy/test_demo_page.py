"""The page's function without a browser, and the page's server once."""

import sys
from urllib.request import urlopen

import numpy as np
import pytest

from shufflenet_det.deploy.demo import Demo, page


def test_picture_with_boxes_and_their_time(single, image):
    demo = Demo([str(single.onnx)])
    picture, line = demo(image, str(single.onnx), 0, 0.05)
    assert picture.shape == image.shape and (picture != image).any()
    count, *rest = line.split()
    assert int(count) > 0 and rest[:2] == ['objects', 'in'] and rest[-1] == 'ms'


def test_device_is_for_detectors_of_mmdetection_alone(single, image):
    _, line = Demo([], 'cpu')(image, str(single.onnx), 0, 0.05)
    assert ' objects in ' in line


def test_threshold_leaves_boxes_out(single, image):
    picture, line = Demo([])(image, str(single.onnx), None, 1.0)
    assert line.startswith('0 objects') and (picture == image).all()


@pytest.mark.parametrize(
    'given, line',
    [(None, 'Give a picture.'), ('none', 'Error: none: no such file or model'),
     ('none.onnx', 'Error: none.onnx: no such file')],
)  # fmt: skip
def test_bad_input_is_a_line_of_the_page(image, given, line):
    picture, told = Demo([])(image if given else None, given, 0, 0.3)
    assert picture is None and told.startswith(line)


def test_without_gradio_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    with pytest.raises(ImportError, match=r'pip install .shufflenet_det\[demo\]'):
        page(print, ['a'])


def test_server_answers(monkeypatch):
    pytest.importorskip('gradio', reason='needs gradio')
    monkeypatch.setenv('GRADIO_ANALYTICS_ENABLED', 'False')
    made = page(lambda *_: (np.zeros((8, 8, 3), np.uint8), '0 objects'), ['a.onnx'])
    _, address, _ = made.launch(prevent_thread_lock=True, inbrowser=False, quiet=True)
    try:
        with urlopen(address, timeout=60) as answer:
            assert answer.status == 200 and b'Objects in a picture' in answer.read()
    finally:
        made.close()

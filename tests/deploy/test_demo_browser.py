"""The page in a headless browser, with the packaged detector: a picture in, boxes and ms out."""

import re
import shutil

import cv2
import numpy as np
import pytest

from shufflenet_det.data.smear import draw_smear
from shufflenet_det.deploy.demo import Demo, page

MODEL = 'blood-cells'
CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'google-chrome', 'chrome'))), None)
WAIT = 60_000  # ms


@pytest.fixture(scope='module')
def address():
    pytest.importorskip('gradio', reason='needs the extra "demo"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('GRADIO_ANALYTICS_ENABLED', 'False')
        made = page(Demo([MODEL, 'none.onnx']), [MODEL, 'none.onnx'])
        yield made.launch(prevent_thread_lock=True, inbrowser=False, quiet=True)[1]
        made.close()


@pytest.fixture
def opened(address):
    """The page in a browser."""
    sync = pytest.importorskip('playwright.sync_api', reason='needs playwright')
    if CHROMIUM is None:
        pytest.skip('needs chromium or Chrome on the PATH')
    with sync.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
        opened = browser.new_page()
        opened.set_default_timeout(WAIT)
        opened.goto(address)
        yield opened
        browser.close()


@pytest.fixture
def smear(tmp_path):
    path = tmp_path / 'smear.png'
    cv2.imwrite(str(path), draw_smear().pixels)
    return path


def submit(opened, picture, model=None, threshold=None, size=None):
    """Fill the page in as a person does; the line that it answers with."""
    opened.locator('input[type=file]').first.set_input_files(str(picture))
    opened.locator('img').first.wait_for()
    if model:
        opened.get_by_label('Model', exact=True).click()
        opened.get_by_role('option', name=model).click()
    for label, value in (('Threshold', threshold), ('Size in px', size)):
        if value is not None:
            box = opened.get_by_label(re.compile(f'number input for {label}'))
            box.fill(str(value))
            box.press('Enter')
    opened.get_by_role('button', name='Submit').click()
    answer = opened.get_by_label('Found')
    opened.wait_for_function('e => e.value', arg=answer.element_handle())
    return answer.input_value()


@pytest.mark.parametrize('size', [None, 320])
def test_picture_gives_boxes_and_milliseconds(opened, smear, size):
    line = submit(opened, smear, size=size)
    assert re.fullmatch(r'1[78] objects in [\d.]+ ms', line)
    source = opened.locator('img[src*="file="]').last.get_attribute('src')
    shown = cv2.imdecode(np.frombuffer(opened.request.get(source).body(), np.uint8), -1)
    assert shown.shape[:2] == (480, 640) and (shown[..., :3] != draw_smear().pixels).any()


def test_threshold_leaves_boxes_out(opened, smear):
    assert submit(opened, smear, threshold=1).startswith('0 objects in ')


def test_model_that_is_not_there_is_a_line_of_the_page(opened, smear):
    assert submit(opened, smear, model='none.onnx').startswith('Error: none.onnx: no such file')

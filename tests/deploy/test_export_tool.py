"""What tools/export.py refuses before any work, and what it leaves."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
from paths import ROOT
from small_detector import run_tool

from shufflenet_det.deploy import request
from shufflenet_det.deploy.formats import FORMATS
from shufflenet_det.deploy.request import Request


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(to='coreml'), "'coreml' is no format: one of onnx, openvino"),
        (dict(to='tensorrt'), 'tensorrt: an engine is bound to the GPU'),
        (dict(to='opencv', precision='int8'), 'opencv: int8 cannot be written, allowed is fp32'),
        (dict(to='opencv', output='levels'), 'opencv: holds whole detectors; levels go to onnx'),
        (dict(precision='int8'), 'int8, and nothing else, needs calibration images'),
        (dict(calibration=[Path('a.jpg')]), 'int8, and nothing else, needs calibration images'),
    ],
)
def test_what_a_format_cannot_hold_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Request(**arguments)


def test_calibration_image_that_is_none_is_refused_before_any_work(tmp_path):
    (tmp_path / 'a.jpg').write_text('no image')
    with pytest.raises(ValueError, match=r'a\.jpg: not an image'):
        run_tool('export', 'none.py', 'none.pth', '--precision', 'int8', '--calibration', tmp_path)


def test_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    row = replace(FORMATS['onnx'], name='other', modules=('onnx', 'not_there'), extra='deploy')
    monkeypatch.setitem(request.FORMATS, 'other', row)
    message = r"other: not_there not installed: pip install 'shufflenet_det\[deploy\]'"
    with pytest.raises(ImportError, match=message):
        Request('other')


def test_tool_refuses_before_it_reads_the_checkpoint(tmp_path):
    with pytest.raises(ValueError, match='tensorrt: '):
        run_tool('export', 'none.py', 'none.pth', '--to', 'tensorrt')
    with pytest.raises(FileNotFoundError, match='the folder does not exist; make it first'):
        run_tool('export', 'none.py', 'none.pth', '--out', tmp_path / 'none/a.onnx')


@pytest.mark.parametrize('name', [name for name, row in FORMATS.items() if not row.refusal])
def test_rows_are_whole(name):
    row = FORMATS[name]
    for place in (row.writer, row.engine):
        module = place.split(':')[0]
        assert importlib.util.find_spec(f'shufflenet_det.deploy.{module}')
    extras = (ROOT / 'setup.py').read_text(encoding='utf-8')
    assert f"'{row.extra}': " in extras
    assert row.precisions[0] == 'fp32' and row.why
    page = (ROOT / 'shufflenet_det/deploy/README.md').read_text(encoding='utf-8')
    assert f'| `{name}` | `{row.suffix}` |' in page

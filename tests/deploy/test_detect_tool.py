"""tools/detect.py, without a trained detector."""

import runpy
import sys

import cv2
import pytest
from frames import OneBox, write
from paths import TOOLS

from shufflenet_det.deploy import predict


def tool(monkeypatch, given, out, *arguments):
    """tools/detect.py with the predictor OneBox."""
    monkeypatch.setattr(predict, 'load_predictor', lambda *_: OneBox())
    arguments = [given, 'config.py', '--out-dir', out, *arguments]
    monkeypatch.setattr(sys, 'argv', ['detect.py', *map(str, arguments)])
    runpy.run_path(str(TOOLS / 'detect.py'), run_name='__main__')


def test_sheet_holds_images_of_one_name(tmp_path, monkeypatch, capsys):
    for name in ('a.png', 'a.jpg'):
        write(tmp_path / name)
    tool(monkeypatch, tmp_path, tmp_path / 'out', '--sheet', tmp_path / 'sheet.png')
    assert cv2.imread(str(tmp_path / 'sheet.png')).shape == (200, 800, 3)
    assert 'a.jpg: 1 objects\na.png: 1 objects\n2 frames, median ' in capsys.readouterr().out


def test_name_that_the_terminal_cannot_show_ends_nothing(tmp_path, monkeypatch, capsys):
    write(tmp_path / 'in/日.png')
    sys.stdout.reconfigure(encoding='ascii')
    tool(monkeypatch, tmp_path / 'in', tmp_path / 'out')
    assert r'\u65e5.png: 1 objects' in capsys.readouterr().out


@pytest.mark.parametrize('cut, line', [(1, 'file is empty'), (2, '1 of 2 could not be read whole')])
def test_tool_ends_with_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, cut, line):
    write(tmp_path / 'in/a.png')
    (tmp_path / f'in/{"a" if cut == 1 else "b"}.png').write_bytes(b'')
    with pytest.raises(SystemExit, match='2'):
        tool(monkeypatch, tmp_path / 'in', tmp_path / 'out')
    assert line in capsys.readouterr().err.splitlines()[-1]
    assert (tmp_path / 'out').exists() == (cut == 2)

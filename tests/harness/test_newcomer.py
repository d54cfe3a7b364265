"""The parts of the newcomer's measurement; tests/test_package.py runs its second path."""

import re
import sys

import pytest

from harness import newcomer
from shufflenet_det.bench.report import markdown_tables

OUTPUT = [
    (1.0, 'noise'), (2.0, '== installing x into y'), (5.0, '== 1/4 demo data'),
    (9.0, '== 4/4 draw detections'), (9.5, 'data/val/1.jpg: 3 objects'),
    (9.9, 'data/val/2.jpg: 3 objects'), (11.0, '== later'),
]  # fmt: skip


def test_output_is_cut_at_its_headings_up_to_the_first_picture():
    found = newcomer.stages(iter(OUTPUT), 'p', newcomer.PICTURE, 'start')
    assert [(s.stage, s.seconds) for s in found] == [
        ('start', 2.0), ('installing x', 3.0), ('1/4 demo data', 4.0),
        ('4/4 draw detections', 0.5),
    ]  # fmt: skip
    assert newcomer.with_sum(found)[-1] == newcomer.Stage('p', 'in all', 9.5)


def test_no_picture_is_an_error():
    with pytest.raises(ValueError, match='p: no line of the output fits'):
        newcomer.stages(iter(OUTPUT[:3]), 'p', newcomer.PICTURE, 'start')


def test_lines_come_with_growing_times(tmp_path):
    code = 'print("a"); print("b")'
    found = list(newcomer.lines([sys.executable, '-c', code], tmp_path, {}))
    assert [line for _, line in found] == ['a', 'b'] and found[0][0] <= found[1][0]


def test_failing_command_is_named(tmp_path):
    command = [sys.executable, '-c', 'print("cause"); raise SystemExit(3)']
    with pytest.raises(ValueError, match=r'exit code 3: cause'):
        list(newcomer.lines(command, tmp_path, {}))


def test_nothing_of_ours_reaches_the_newcomer(monkeypatch):
    monkeypatch.setenv('PYTHONPATH', '/here')
    monkeypatch.setenv('VIRTUAL_ENV', '/there')
    assert not {'PYTHONPATH', 'VIRTUAL_ENV'} & set(newcomer.variables(borrow=False))


def test_result_is_shown_as_a_table():
    stages = [dict(path='p', stage='s', seconds=1.5)]
    table = markdown_tables({'newcomer': dict(kind='newcomer', what='w', stages=stages)})
    assert '| p | s | 1.5 |' in table['newcomer']


def test_iteration_line_of_mmengine_is_seen():
    assert re.search(newcomer.ITERATION, 'INFO - Iter(train) [1/1]  base_lr: 8e-05')

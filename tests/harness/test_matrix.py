"""The matrix of versions: its cells, what a cell is made of, what is recorded."""

import json
import shutil
import subprocess

import pytest

from harness.matrix import __main__ as matrix
from harness.matrix import environments
from harness.matrix.cells import CELLS, OF_THEIR_OWN, Cell, lowest
from harness.matrix.environments import NoInterpreter, extras, find_python, make_environment
from harness.matrix.probe import VERSIONS
from shufflenet_det.bench.views import tables_of


def test_cells_have_names_of_their_own():
    names = [cell.name for cell in CELLS]
    assert len(names) == len(set(names))
    assert {f'Python 3.{n}' for n in range(10, 15)} | {'torch 2.6', 'torch 2.15'} <= set(names)


def test_lowest_versions_are_those_of_the_requirements():
    pins = lowest()
    assert {'torch==2.6.*', 'torchvision==0.21.*', 'mmdet==3.3.0', 'mmcv-lite==2.0.0'} <= set(pins)
    names = {pin.partition('==')[0] for pin in pins}
    assert len(names) == len(pins)
    assert not names & set(OF_THEIR_OWN)


@pytest.mark.parametrize('torch, expected', [('2.13', 'lite'), ('2.14', 'lite,deploy')])
def test_only_versions_of_torch_that_export_get_the_extra(torch, expected):
    assert extras(Cell('x', (f'torch=={torch}.*',), '3.11')) == expected


def test_missing_interpreter_is_said():
    with pytest.raises(NoInterpreter, match='no python9.9 on PATH'):
        find_python('9.9')


def test_layer_hides_what_it_replaces(tmp_path, monkeypatch):
    installed = []
    run = environments._run
    monkeypatch.setattr(
        environments, '_run',
        lambda command: run(command) if 'venv' in command else installed.append(command[5:]),
    )  # fmt: skip
    python = make_environment(Cell('x', ('mmdet==3.3.0',), without=('mmengine',)), tmp_path / 'env')
    code = 'import importlib.util as u; print(*[u.find_spec(n) is None for n in '
    code += '("mmdet", "mmengine", "shufflenet_det", "torch")])'
    seen = subprocess.run([python, '-I', '-c', code], capture_output=True, text=True)
    assert seen.stdout.split() == ['True', 'True', 'True', 'False']
    assert [command[:2] for command in installed] == [
        ['--yes', 'setuptools'], ['--no-deps', 'mmdet==3.3.0'], ['--no-deps', '--editable'],
    ]  # fmt: skip


def test_cells_that_were_not_run_are_untested(tmp_path):
    out = tmp_path / 'versions.json'
    found = dict(versions=dict.fromkeys(VERSIONS, '1'), passed=['imports'], cause='builds: no')
    matrix.record(matrix.row_of(CELLS[1], 'failed', **found), out)
    matrix.record(matrix.row_of(CELLS[0], 'passed'), out)
    rows = json.loads(out.read_text())['cells']
    assert [row['cell'] for row in rows] == [cell.name for cell in CELLS]
    assert [row['result'] for row in rows[:3]] == ['passed', 'failed', 'untested']
    (table,) = tables_of(json.loads(out.read_text()))
    assert table.rows[1][:3] == (CELLS[1].name, 'failed', '1')


@pytest.mark.parametrize(
    'make, result, cause',
    [
        (NoInterpreter('no python'), 'untested', 'no python'),
        (ValueError('no matching distribution'), 'failed', 'installs: no matching distribution'),
    ],
)
def test_cell_that_cannot_be_made_is_a_row(make, result, cause, tmp_path, monkeypatch):
    def fail(*_):
        raise make

    monkeypatch.setattr(matrix, 'make_environment', fail)
    row = matrix.attempt(CELLS[1], tmp_path)
    assert (row['result'], row['cause']) == (result, cause)


@pytest.mark.skipif(shutil.which('bash') is None, reason='no bash')
def test_command_runs_with_the_interpreter_of_the_cell(tmp_path):
    python = matrix.environment_of(CELLS[0], tmp_path) / 'bin/python'
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nexit 7\n')
    python.chmod(0o755)
    assert matrix.run_in(CELLS[0], tmp_path, 'python') == 7

import json

import pytest
import torch
from tools_here import run_here

from shufflenet_det.bench import operators
from shufflenet_det.bench.views import tables_of


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    for name, value in dict(ROIS=20, MAP=(6, 8), BEFORE=600, KEPT=50).items():
        monkeypatch.setattr(operators, name, value)


@pytest.mark.parametrize('source', [operators._pooling, operators._suppression])
def test_both_sides_of_a_row_compute_the_same(source):
    for name, _, ours, theirs in source('cpu', torch.Generator().manual_seed(0)):
        if 'backward' not in name:
            torch.testing.assert_close(ours(), theirs(), rtol=1e-4, atol=1e-5)


def test_rows_say_how_much_faster():
    rows = operators.run_operators(turns=3)
    assert len(rows) == 3 + len(operators.SPREADS)
    (table,) = tables_of(dict(kind='operators', rows=[json.loads(_json(row)) for row in rows]))
    assert [line[0] for line in table.rows] == [row.operator for row in rows]
    assert all(row.ours.n == row.again.n == 3 for row in rows)


def _json(row: operators.OperatorRow) -> str:
    return json.dumps(row, default=vars)


def test_tool_names_a_device_that_is_not_there(monkeypatch, capsys):
    with pytest.raises(SystemExit, match='2'):
        run_here(monkeypatch, 'operators.py', '--device', 'cuda:99')
    assert 'cuda:99 is not there' in capsys.readouterr().err

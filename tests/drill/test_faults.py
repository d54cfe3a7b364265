import pytest
from paths import ROOT

from drill import __main__ as drill
from drill.case import case
from drill.faults import FAULTS


def test_every_fault_is_tried():
    assert {case.row for case in drill.CASES} == set(FAULTS)


def test_a_case_belongs_to_a_row_of_the_table():
    with pytest.raises(ValueError, match='row 99 is not in the table of drill/faults.py'):
        case(99, 'nothing')


def test_the_page_lists_every_fault():
    page = (ROOT / 'shufflenet_det/training/README.md').read_text()
    table = page.partition('| row | done | must come of it |')[2].partition('\n\n')[0]
    rows = [f'| {row} | {done} | {end} |' for row, (done, end) in FAULTS.items()]
    assert table.splitlines()[2:] == rows

import pytest

from drill import __main__ as drill
from drill.case import case
from drill.faults import FAULTS


def test_every_fault_is_tried():
    assert {case.row for case in drill.CASES} == set(FAULTS)


def test_a_case_belongs_to_a_row_of_the_table():
    with pytest.raises(ValueError, match='row 99 is not in the table of drill/faults.py'):
        case(99, 'nothing')

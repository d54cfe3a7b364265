import os
import signal

import pytest
from paths import ROOT

from drill import __main__ as drill
from drill.attempts import attempts
from drill.case import Case, Lab, case, confirm
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


def test_cases_run_side_by_side_and_one_that_ends_its_process_is_not_handled(tmp_path):
    runs = {
        'well': lambda lab: str(lab.folder),
        'wrong': lambda lab: confirm(False, 'a message'),
        'dies': lambda lab: os.kill(os.getpid(), signal.SIGKILL),
    }
    pairs = [(Case(1, n, run), Lab(tmp_path / n, tmp_path, True)) for n, run in runs.items()]
    found = {o.name: (o.handled, o.message) for o in attempts(pairs, at_once=2)}
    assert found == {
        'well': (True, '.'),
        'wrong': (False, 'AssertionError: a message'),
        'dies': (False, 'the process of the case ended with -9'),
    }

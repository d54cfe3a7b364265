"""Every fault that was reported is held by tests that exist."""

import subprocess
import sys

import pytest
from drill.__main__ import CASES
from paths import ROOT
from reported import REPORTED

HELD = [test for faults in REPORTED.values() for tests in faults.values() for test in tests]
DRILL = 'drill:'


@pytest.fixture(scope='module')
def collected():
    """Names of the tests in the files of the table, from the folder of tests on."""
    files = sorted({test.partition('::')[0] for test in HELD if not test.startswith(DRILL)})
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '--collect-only', '-q', *(f'tests/{f}' for f in files)],
        cwd=ROOT, text=True, capture_output=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.removeprefix('tests/') for line in done.stdout.splitlines() if '::' in line]


def test_tests_of_reported_faults_exist(collected):
    cases = {f'{DRILL}{case.name}' for case in CASES}
    known = [test for test in HELD if any(name.startswith(test) for name in collected)]
    assert [test for test in HELD if test not in known and test not in cases] == []


def test_every_reported_fault_is_held():
    bare = [fault for faults in REPORTED.values() for fault, tests in faults.items() if not tests]
    assert bare == [] and len(HELD) > sum(map(len, REPORTED.values()))

"""Tests of MMEngine and MMDetection, with and without `ProtectionHook` in every Runner.

python -m harness.suites 'NAME=FOLDER/tests' ... --out FILE.json, in checkouts of the versions that
are installed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from paths import ROOT

from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.bench.failures import without_places

OPTIONS: Mapping[str, tuple[str, ...]] = {'without': ('--without-hook',), 'with': ()}
"""Whether the Runners have the hook -> options of the plugin."""

OUTCOMES = {'failure': 'failed', 'error': 'failed', 'skipped': 'skipped'}
"""Element of a test in pytest's report -> what became of it."""

COLOUR = re.compile(r'#x1B\[\d*m')
"""Of a terminal, as pytest's report writes it."""


def run(tests: Path, options: tuple[str, ...]) -> ElementTree.Element:
    """Run the tests of a checkout, in its root.

    Args:
        tests: A folder or a file of tests.
        options: Of pytest.

    Returns:
        pytest's report.

    Raises:
        ValueError: If there are no tests, or pytest ends before the report is written.
    """
    roots = (folder for folder in tests.parents if (folder / 'tests').is_dir())
    root = next(roots, None)
    if root is None or not tests.exists():
        raise ValueError(f'{tests} is not there, or in no folder tests/; give NAME=CHECKOUT/tests')
    paths = os.pathsep.join(filter(None, (f'{ROOT}', f'{ROOT}/tests', os.getenv('PYTHONPATH'))))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, 'report.xml')
        command = [
            sys.executable, '-m', 'pytest', '-q', '-p', 'harness.protected_runners', *options,
            '-p', 'no:cacheprovider', '--continue-on-collection-errors', f'--junitxml={report}',
            str(tests.relative_to(root)),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=root, env=dict(os.environ, PYTHONPATH=paths))
        if not report.is_file():
            raise ValueError(f'{tests}: pytest ended with {done.returncode} and no report')
        return ElementTree.parse(report).getroot()


def outcomes(report: ElementTree.Element) -> dict[str, tuple[str, str]]:
    """Test -> what became of it, and the first line of its error."""
    found = {}
    for case in report.iter('testcase'):
        name = '.'.join(filter(None, (case.get('classname'), case.get('name'))))
        ends = [part for part in case if part.tag in OUTCOMES]
        message = COLOUR.sub('', ends[0].get('message', '')).strip() if ends else ''
        what = OUTCOMES[ends[0].tag] if ends else 'passed'
        found[name] = what, without_places(message.splitlines()[0] if message else '')
    return found


def compared(suite: str, tests: Path) -> tuple[list[dict], list[dict]]:
    """Counts with and without the hook, and every test that fails with one or without."""
    of_hook = {hook: outcomes(run(tests, options)) for hook, options in OPTIONS.items()}
    counts = []
    for hook, found in of_hook.items():
        count = Counter(what for what, _ in found.values())
        kinds = {kind: count[kind] for kind in ('passed', 'skipped', 'failed')}
        counts.append(dict(suite=suite, hook=hook, tests=len(found), **kinds))
    failures: dict[str, dict] = {}
    for hook, found in of_hook.items():
        for test, (what, error) in found.items():
            if what == 'failed':
                row = failures.setdefault(test, dict(suite=suite, test=test, hook=hook))
                row.update(hook=hook if row['hook'] == hook else 'both', error=error)
    return counts, list(failures.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('suites', nargs='+', metavar='NAME=PATH')
    parser.add_argument('--out', required=True, type=Path)
    args = parser.parse_args()
    suites, failures = [], []
    for suite, _, path in (text.partition('=') for text in args.suites):
        try:
            counts, failed = compared(suite, Path(path).resolve())
        except ValueError as error:
            parser.error(str(error))
        suites += counts
        failures += failed
    what = (
        'Tests of other projects, with and without ProtectionHook in every Runner that they build.'
    )
    write_result(args.out, 'suites', environment(), what=what, suites=suites, failures=failures)


if __name__ == '__main__':
    main()

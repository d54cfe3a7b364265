"""Cases one after the other, each in a process of its own, some at a time."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .case import Case, Lab


@dataclass(frozen=True)
class Outcome:
    row: int
    name: str
    handled: bool
    message: str
    seconds: float
    inputs: dict[str, int]


def attempts(pairs: Sequence[tuple[Case, Lab]], at_once: int = 1) -> Iterator[Outcome]:
    """Run every case in its lab; a case that ends its process is not handled."""
    waiting, running = list(pairs)[::-1], {}
    while waiting or running:
        while waiting and len(running) < at_once:
            case, lab = waiting.pop()
            running[_start(case, lab)] = case, lab
        pid, status = os.waitpid(-1, 0)
        if pid in running:
            yield _read(*running.pop(pid), os.waitstatus_to_exitcode(status))


def _start(case: Case, lab: Lab) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        _report(lab).write_text(json.dumps(asdict(attempt(case, lab))))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _read(case: Case, lab: Lab, code: int) -> Outcome:
    if _report(lab).exists():
        return Outcome(**json.loads(_report(lab).read_text()))
    return Outcome(case.row, case.name, False, f'the process of the case ended with {code}', 0, {})


def _report(lab: Lab) -> Path:
    return lab.folder.with_suffix('.json')


def attempt(case: Case, lab: Lab) -> Outcome:
    """Run a case; any exception means that the fault is not handled."""
    start = time.monotonic()
    lab.folder.mkdir(parents=True)
    try:
        message, handled = case.run(lab), True
    except Exception as error:
        message, handled = f'{type(error).__name__}: {error}', False
        traceback.print_exc()
    message = ' '.join(message.replace(str(lab.folder), '.').split())
    seconds = round(time.monotonic() - start, 2)
    return Outcome(case.row, case.name, handled, message, seconds, dict(lab.inputs))

"""A fault and how it is checked that it is handled."""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .faults import FAULTS


@dataclass(frozen=True)
class Lab:
    """Where a case works and how much.

    Args:
        folder: Empty folder of the case.
        data: Generated data set that all cases share and none changes.
        short: Fewer inputs, for continuous integration.
        inputs: How many inputs a case that tries many found refused, read, ...
    """

    folder: Path
    data: Path
    short: bool
    inputs: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Case:
    """One fault of a row; ``run`` returns the message that it gave, or raises.

    Args:
        long: Left out of the short drill.
    """

    row: int
    name: str
    run: Callable[[Lab], str]
    long: bool = False


CASES: list[Case] = []


def case(row: int, name: str, long: bool = False) -> Callable:
    """Add the decorated function to :data:`CASES`, as one of a row of FAULTS."""
    if row not in FAULTS:
        raise ValueError(f'{name}: row {row} is not in the table of drill/faults.py')

    def add(run: Callable[[Lab], str]) -> Callable[[Lab], str]:
        CASES.append(Case(row, name, run, long))
        return run

    return add


def shared(lab: Lab, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that several cases read; the first that asks makes it, the others wait."""
    folder = lab.data.parent / name
    with folder.with_suffix('.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            make(folder)
    return folder


def refused(call: Callable[[], object], *words: object, kind: type = Exception) -> str:
    """The message of the error that ``call`` must raise, with every one of ``words`` in it."""
    try:
        result = call()
    except kind as error:
        message = str(error)
        absent = [str(word) for word in words if str(word) not in message]
        if absent:
            raise AssertionError(f'the message lacks {absent}: {message}') from error
        return f'{type(error).__name__}: {message}'
    raise AssertionError(f'no error, but {result!r:.100}')


def confirm(true: object, message: str) -> None:
    """Fail the case where something is not as it must be."""
    if not true:
        raise AssertionError(message)

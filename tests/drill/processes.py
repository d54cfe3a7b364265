"""Trainings in processes of their own, to be killed."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

LIMIT = 60.0
"""Seconds within which a run with a fault must have ended."""


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal, and its output."""

    code: int
    seconds: float
    output: str

    @property
    def last_error(self) -> str:
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        named = [line for line in lines if 'Error' in line.split(':')[0]]
        return (named or lines or [''])[-1]


def succeeded(*ended: Ended) -> None:
    """Fail the case, with the end of the output, where a process did not end well."""
    for one in ended:
        if one.code:
            raise AssertionError(f'exit {one.code}: {one.last_error}\n{one.output[-3000:]}')


class Child:
    """A forked process with a session of its own that runs ``target`` and writes to ``log``."""

    def __init__(self, target: Callable[[], object], log: Path) -> None:
        self.log = log
        sys.stdout.flush()
        sys.stderr.flush()
        self._start = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            self._run(target)

    def _run(self, target: Callable[[], object]) -> None:
        code = 1
        try:
            os.setsid()
            sink = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            # torch renews its thread pool after a fork, at first use and not thread-safely.
            torch.set_num_threads(torch.get_num_threads())
            target()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def members(self) -> list[int]:
        """Live processes of the session, data workers among them."""
        found = []
        for entry in Path('/proc').glob('[0-9]*'):
            try:
                fields = (entry / 'stat').read_text().rpartition(')')[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.pid and fields[0] != 'Z':
                found.append(int(entry.name))
        return found

    def wait(self, limit: float = LIMIT) -> Ended:
        """Wait for the end.

        Raises:
            AssertionError: If it did not end in ``limit`` seconds, or left processes behind.
        """
        end = time.monotonic() + limit
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                self.kill_all()
                raise AssertionError(f'still running after {limit:.0f} s: {self._tail()}')
            time.sleep(0.02)
        seconds = time.monotonic() - self._start
        orphans = self._orphans()
        if orphans:
            self.kill_all()
            raise AssertionError(f'{len(orphans)} processes were left behind')
        return Ended(os.waitstatus_to_exitcode(status), seconds, self._tail())

    def _orphans(self) -> list[int]:
        """Members of the session that have not ended 10 s after its leader."""
        end = time.monotonic() + 10
        while (left := self.members()) and time.monotonic() < end:
            time.sleep(0.1)
        return left

    def kill_all(self) -> None:
        """SIGKILL for every process of the session."""
        for pid in self.members():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _tail(self) -> str:
        return self.log.read_text(errors='replace')[-20000:] if self.log.exists() else ''


def run(target: Callable[[], object], log: Path, limit: float = LIMIT) -> Ended:
    """Run ``target`` in a :class:`Child` to its end."""
    return Child(target, log).wait(limit)

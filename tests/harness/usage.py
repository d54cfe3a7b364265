"""Memory, open files and processes of a run, and whether they stay flat; Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner

LEAST_ROWS = 8
"""Fewer rows behind the warm-up say nothing."""


@dataclass(frozen=True)
class Usage:
    """What a process and its descendants use after ``step`` iterations or images.

    Args:
        step: Iterations or images.
        resident_mib: Resident memory of all of them.
        peak_mib: The most that this process alone ever had resident.
        files: Open files, sockets and pipes, without shared tensors.
        shared_tensors: Handles of tensors on their way from data workers.
        processes: Processes.
    """

    step: int
    resident_mib: float
    peak_mib: float
    files: int
    shared_tensors: int
    processes: int


@dataclass(frozen=True)
class Bound:
    """What is still called flat.

    Args:
        slope: Growth in 1,000 steps, of the straight line through the rows.
        spread: Largest minus smallest.
    """

    slope: float
    spread: float


@dataclass(frozen=True)
class Verdict:
    """Whether one field of :class:`Usage` stays within its bound."""

    part: str
    field: str
    first_step: int
    last_step: int
    smallest: float
    largest: float
    slope_per_1000: float
    slope_bound: float
    spread_bound: float
    flat: bool

    def __str__(self) -> str:
        return (
            f'{self.part}: {self.field} is {"flat" if self.flat else "NOT FLAT"} from step '
            f'{self.first_step} to {self.last_step}: {self.smallest:.6g} to {self.largest:.6g} '
            f'(at most {self.spread_bound:g} apart), {self.slope_per_1000:+.3g} in 1,000 steps '
            f'(at most {self.slope_bound:g})'
        )


def judge(
    part: str, rows: Sequence[Usage], bounds: Mapping[str, Bound], warm_up: int
) -> list[Verdict]:
    """Compare each field that has a bound, from step ``warm_up`` on.

    Raises:
        ValueError: If too few rows are left.
    """
    kept = [row for row in rows if row.step >= warm_up]
    if len(kept) < LEAST_ROWS:
        raise ValueError(
            f'{part}: {len(kept)} measurements from step {warm_up} on, {LEAST_ROWS} are needed; '
            'give a longer run'
        )
    steps = np.array([row.step for row in kept], float)
    verdicts = []
    for field, bound in bounds.items():
        values = np.array([getattr(row, field) for row in kept], float)
        slope = round(1000 * float(np.polyfit(steps, values, 1)[0]), 6)
        low, high = float(values.min()), float(values.max())
        flat = slope <= bound.slope and high - low <= bound.spread
        verdicts.append(
            Verdict(part, field, kept[0].step, kept[-1].step, low, high, slope, bound.slope,
                    bound.spread, flat)
        )  # fmt: skip
    return verdicts


def usage_now(step: int) -> Usage:
    """What this process and its descendants use now."""
    processes = _tree(os.getpid())
    pages = sum(int(_read(p, 'statm', '0 0').split()[1]) for p in processes)
    files = [name for process in processes for name in _open_files(process)]
    shared = sum('/torch_' in name for name in files)
    return Usage(
        step, round(pages * os.sysconf('SC_PAGESIZE') / 2**20, 2), _peak_mib(),
        len(files) - shared, shared, len(processes),
    )  # fmt: skip


def _peak_mib() -> float:
    status = Path('/proc/self/status').read_text()
    return round(int(status.partition('VmHWM:')[2].split()[0]) / 1024, 2)


def _tree(process: int) -> list[int]:
    children = _read(process, f'task/{process}/children', '').split()
    return [process] + [found for child in children for found in _tree(int(child))]


def _open_files(process: int) -> Iterator[str]:
    for entry in Path(f'/proc/{process}/fd').glob('*'):
        try:
            yield os.readlink(entry)
        except OSError:  # closed meanwhile
            continue


def _read(process: int, name: str, ended: str) -> str:
    try:
        return Path(f'/proc/{process}/{name}').read_text()
    except OSError:
        return ended


class UsageHook(Hook):
    """Notes :class:`Usage` every ``interval`` iterations of a training or batches of a test."""

    def __init__(self, interval: int, step: int = 1) -> None:
        """``step`` is what an iteration counts, e.g. the images of a batch."""
        self.interval, self.step = interval, step
        self.rows: list[Usage] = []

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        self._note(runner.iter + 1)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        self._note(batch_idx + 1)

    def _note(self, iteration: int) -> None:
        if iteration % self.interval == 0:
            self.rows.append(usage_now(iteration * self.step))

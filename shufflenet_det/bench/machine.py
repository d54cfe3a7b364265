"""The state of the machine before and after a run, and what else it did meanwhile.

Everything is read from Linux's /proc and /sys; what is not there is None.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

OTHERS_LIMIT, STEAL_LIMIT = 5.0, 1.0
"""Percent of all CPUs from which other processes, or other guests of the host, make a run busy."""

_PROCESSOR = 'sys/devices/system/cpu'


@dataclass(frozen=True)
class MachineState:
    """Counters and settings at one moment.

    Args:
        clock_s: Seconds on a clock that never goes back.
        own_s: CPU seconds of this process and its ended children.
        load: Mean number of processes that ran or waited in the last minute.
        busy_s: CPU seconds of all processes since the start of the machine.
        steal_s: CPU seconds that the host gave to other guests.
        throttled_s: Seconds that the cgroup's quota held processes back.
        mhz: Mean clock of the CPUs.
        governor: Of the clock, e.g. ``performance``.
        quota_cpus: CPUs that the cgroup may use; None where it has no quota.
        smt: Whether two threads share a core.
    """

    clock_s: float
    own_s: float
    load: float | None
    busy_s: float | None
    steal_s: float | None
    throttled_s: float | None
    mhz: float | None
    governor: str | None
    quota_cpus: float | None
    smt: bool | None


def machine_state(root: Path = Path('/')) -> MachineState:
    """Read the state; ``root`` is where proc and sys lie."""
    load, ticks = _words(root / 'proc/loadavg'), _words(root / 'proc/stat')
    used = [int(word) / os.sysconf('SC_CLK_TCK') for word in ticks[1:9]]
    clocks = [
        float(line.partition(':')[2])
        for line in _text(root / 'proc/cpuinfo').splitlines()
        if line.startswith('cpu MHz')
    ]
    smt = _text(root / _PROCESSOR / 'smt/active').strip()
    quota, throttled = _cgroup(root)
    return MachineState(
        clock_s=time.monotonic(),
        own_s=sum(os.times()[:4]),
        load=float(load[0]) if load else None,
        busy_s=sum(used[:3] + used[5:7]) if used else None,  # without idle, waiting and stolen
        steal_s=used[7] if used else None,
        throttled_s=throttled,
        mhz=sum(clocks) / len(clocks) if clocks else None,
        governor=_text(root / _PROCESSOR / 'cpu0/cpufreq/scaling_governor').strip() or None,
        quota_cpus=quota,
        smt=smt == '1' if smt else None,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8')
    except OSError:
        return ''


def _words(path: Path) -> list[str]:
    """Words of a file's first line."""
    return _text(path).partition('\n')[0].split()


def _cgroup(root: Path) -> tuple[float | None, float | None]:
    """CPUs of the quota and seconds held back, of cgroup versions 2 and 1."""
    lines = [line.split(':') for line in _text(root / 'proc/self/cgroup').splitlines()]
    for _, controllers, *path in lines:
        names = controllers.split(',')
        if controllers and 'cpu' not in names:
            continue
        mount = root / 'sys/fs/cgroup' / ('cpu' if controllers else '')
        for folder in (mount / ':'.join(path).lstrip('/'), mount):
            stat = dict(line.split() for line in _text(folder / 'cpu.stat').splitlines())
            quota = _words(folder / 'cpu.max') or [
                *_words(folder / 'cpu.cfs_quota_us'), *_words(folder / 'cpu.cfs_period_us')
            ]  # fmt: skip
            if quota:
                held = int(stat.get('throttled_usec', 0)) / 1e6
                held += int(stat.get('throttled_time', 0)) / 1e9
                limited = quota[0] not in ('max', '-1')
                return (int(quota[0]) / int(quota[1]) if limited else None), held
    return None, None


def activity(start: MachineState, end: MachineState, cpus: int) -> dict:
    """What went on beside a run, for its record.

    Args:
        start, end: Around the run.
        cpus: CPUs of the machine.

    Returns:
        ``start`` and ``end``, percent of all CPUs that other processes (``others``) and other
        guests of the host (``steal``) took, and ``busy``: a sentence, or None where it was idle.
    """
    seconds = max(end.clock_s - start.clock_s, 1e-9) * cpus / 100
    others = steal = None
    if start.busy_s is not None and end.busy_s is not None:
        others = max(0.0, end.busy_s - start.busy_s - (end.own_s - start.own_s)) / seconds
        steal = (end.steal_s - start.steal_s) / seconds
    held = (end.throttled_s or 0) - (start.throttled_s or 0)
    causes = []
    if others is not None and others > OTHERS_LIMIT:
        causes.append(f'other processes took {others:.0f} % of the CPUs')
    if steal is not None and steal > STEAL_LIMIT:
        causes.append(f'other guests of the host took {steal:.0f} % of the CPUs')
    if held > 0:
        causes.append(f'the quota of the cgroup held it back for {held:.1f} s')
    return dict(
        start=asdict(start), end=asdict(end), others_percent=others, steal_percent=steal,
        busy=' and '.join(causes) or None,
    )  # fmt: skip

"""Energy that the machine counts: RAPL of the CPU's packages, NVML of a GPU; None elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

Meter = Callable[[], float]
"""Joules so far, from any start; only differences mean something."""


def energy_meter(device: str = 'cpu', root: Path = Path('/')) -> Meter | None:
    """A meter of the device's whole package, whatever else computes on it; None without one."""
    if torch.device(device).type == 'cuda':
        return _nvml(torch.device(device).index or 0)
    return _rapl(root / 'sys/class/powercap')


def _rapl(folder: Path) -> Meter | None:
    packages = [p for p in sorted(folder.glob('*-rapl:*')) if p.name.count(':') == 1]
    counters = [_Counter(package) for package in packages if _is_readable(package)]
    return (lambda: sum(counter.joules() for counter in counters)) if counters else None


def _is_readable(package: Path) -> bool:
    try:
        return _integer(package / 'energy_uj') >= 0  # only root may read it on many systems
    except (OSError, ValueError):
        return False


def _integer(path: Path) -> int:
    return int(path.read_text(encoding='ascii'))


class _Counter:
    """A counter of microjoules that starts again behind its largest value."""

    def __init__(self, package: Path) -> None:
        self.file, self.total = package / 'energy_uj', 0
        self.range, self.last = _integer(package / 'max_energy_range_uj') + 1, _integer(self.file)

    def joules(self) -> float:
        """Since the counter was made."""
        now = _integer(self.file)
        self.total += (now - self.last) % self.range
        self.last = now
        return self.total / 1e6


def _nvml(index: int) -> Meter | None:
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # not installed, no driver, or a GPU that does not count
        return None
    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000

"""The measuring core: warm-up until stable, rounds in rotating order, both clocks, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median as median_of
from typing import TypeVar

import torch

from .energy import Meter, energy_meter
from .intervals import Ratio, percentile, ratio_of, rotations
from .memory import cache_evictor, peak_memory

T = TypeVar('T')

Run = Callable[[], object]

STABLE = 0.03
"""Warm-up ends when the best run of a window is within this fraction of the window before."""
WINDOW = 3
MAX_WINDOWS = 8

MIN_TURNS = 3

COLD_MS = 100.0
"""A shorter call is measurably slower right after another callable, which took the caches."""

REPEAT = 'first row again'
"""Name of a second measurement of the first row: what two equal rows differ by is noise."""


@dataclass(frozen=True)
class Timing:
    """Times of one callable.

    Args:
        name: What was measured.
        median_ms, min_ms, max_ms: Of one call on the wall clock, over the turns.
        p10_ms, p90_ms, p99_ms: None where the turns are too few for it
            (:func:`~shufflenet_det.bench.intervals.least_samples`).
        joules: Mean energy of a call, of the whole package; None where nothing counts it.
        cpu_ms: Median CPU time of a call, all threads of the process; None where it was not taken.
        n: Turns measured.
        calls: Calls in a turn; above 1 only where one call is too short to time.
        images: Images in a call.
        peak_memory_bytes: See :func:`peak_memory`; None where torch does not see the memory.
        turns_ms: Time of a call in each turn. Turn i of every callable measured together was
            run next to the others' turn i.
        cpu_turns_ms: CPU time of a call in each turn.
    """

    name: str
    median_ms: float
    min_ms: float
    max_ms: float
    p10_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    cpu_ms: float | None
    joules: float | None
    n: int
    calls: int
    images: int
    peak_memory_bytes: int | None
    turns_ms: tuple[float, ...]
    cpu_turns_ms: tuple[float, ...]

    @property
    def images_per_s(self) -> float:
        """Images in a second at the median."""
        return 1000 * self.images / self.median_ms


def summarise(
    name: str,
    turns_ms: Sequence[float],
    calls: int = 1,
    images: int = 1,
    peak: int | None = None,
    cpu_turns_ms: Sequence[float] = (),
    joules: float | None = None,
) -> Timing:
    """A Timing out of the times of its turns (ms)."""
    median, least, most = median_of(turns_ms), min(turns_ms), max(turns_ms)
    percentiles = (percentile(turns_ms, percent) for percent in (10, 90, 99))
    turns, cpu_turns = (tuple(round(t, 5) for t in times) for times in (turns_ms, cpu_turns_ms))
    cpu = median_of(cpu_turns_ms) if cpu_turns_ms else None
    return Timing(
        name, median, least, most, *percentiles, cpu, joules, len(turns), calls, images, peak,
        turns, cpu_turns,
    )  # fmt: skip


def ratio(a: Timing, b: Timing, band: float = 0.0) -> Ratio:
    """How many times as long as b a takes, with its interval."""
    return ratio_of(a.turns_ms, b.turns_ms, band)


def difference(first: Timing, again: Timing) -> float:
    """The fraction by which two measurements of one row differ."""
    return abs(ratio(first, again).median - 1)


@torch.inference_mode()
def measure(
    runs: Mapping[str, Run],
    device: str = 'cpu',
    turns: int = 20,
    seconds: float | None = None,
    min_turn_ms: float = 20.0,
    images: int = 1,
    untraced: tuple[str, ...] = (),
    cold: tuple[str, ...] = (),
) -> list[Timing]:
    """Time callables against each other in rounds, whose order rotates: A B C, B C A, C A B.

    A turn of calls below COLD_MS begins with one that is not timed.

    Args:
        runs: Name -> callable.
        device: Device to synchronise with around each turn.
        turns: Turns of each callable.
        seconds: Stop early, after at least MIN_TURNS, when this time is spent.
        min_turn_ms: A turn repeats short calls until it lasts about this long.
        images: Images in a call.
        untraced: Names whose memory torch does not see.
        cold: Names whose calls find the CPU's caches full of other data.

    Returns:
        A Timing for each callable, in order.
    """
    once = {name: warm_up(run, device) for name, run in runs.items()}
    calls = {n: 1 if n in cold else max(1, round(min_turn_ms / ms)) for n, ms in once.items()}
    before = {name: runs[name] for name in runs if once[name] < COLD_MS}
    before |= dict.fromkeys(cold, cache_evictor() if cold else None)
    spent = _take_turns(runs, before, device, calls, in_turns(list(runs), turns, seconds))
    return [
        summarise(
            name, [turn.wall_ms for turn in spent[name]], calls[name], images,
            None if name in untraced else peak_memory(run, device),
            [turn.cpu_ms for turn in spent[name]], mean_joules(spent[name]),
        )
        for name, run in runs.items()
    ]  # fmt: skip


def _take_turns(
    runs: Mapping[str, Run],
    before: Mapping[str, Run],
    device: str,
    calls: Mapping[str, int],
    order: Iterator[str],
) -> dict[str, list[Spent]]:
    spent: dict[str, list[Spent]] = {name: [] for name in runs}
    meter = energy_meter(device)
    for name in order:
        if name in before:
            before[name]()
        spent[name].append(time_call(runs[name], device, calls[name], meter))
    return spent


def mean_joules(spent: Sequence[Spent]) -> float | None:
    """Energy of a call; None where nothing counted it."""
    joules = [turn.joules for turn in spent]
    return None if None in joules else sum(joules) / len(joules)


def in_turns(rows: Sequence[T], turns: int, seconds: float | None = None) -> Iterator[T]:
    """Rows round by round, in orders that rotate, for as long as :func:`within` says."""
    for _, order in zip(within(turns, seconds), rotations(len(rows)), strict=False):
        for place in order:
            yield rows[place]


def within(turns: int, seconds: float | None) -> Iterator[int]:
    """Count turns; stop early, after at least MIN_TURNS, when the seconds are spent."""
    start = time.perf_counter()
    for turn in range(turns):
        if seconds is not None and turn >= MIN_TURNS and time.perf_counter() - start > seconds:
            return
        yield turn


def synchronize(device: str) -> None:
    """Wait until the device has done all it was given."""
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)


@dataclass(frozen=True)
class Spent:
    """What one call took: ms on the wall clock, ms of CPU in all threads, energy."""

    wall_ms: float
    cpu_ms: float
    joules: float | None = None


def time_call(run: Run, device: str = 'cpu', calls: int = 1, meter: Meter | None = None) -> Spent:
    """Time and, with a meter, energy of one call, as the mean of successive calls."""
    synchronize(device)
    energy = meter() if meter else 0.0
    start, cpu_start = time.perf_counter(), time.process_time()
    for _ in range(calls):
        run()
    synchronize(device)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    joules = (meter() - energy) / calls if meter else None
    return Spent(1000 * wall / calls, 1000 * cpu / calls, joules)


def warm_up(run: Run, device: str = 'cpu') -> float:
    """Call until the time is stable, and return the best time of the last window (ms)."""
    best = min(time_call(run, device).wall_ms for _ in range(WINDOW))
    for _ in range(MAX_WINDOWS):
        before, best = best, min(time_call(run, device).wall_ms for _ in range(WINDOW))
        if best >= before * (1 - STABLE):
            break
    return best

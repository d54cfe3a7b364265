"""The measuring core: warm-up until stable, interleaved runs, medians, peak memory."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

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
        median_ms, p10_ms, p90_ms: Of one call, over the turns.
        n: Turns measured.
        calls: Calls in a turn; above 1 only where one call is too short to time.
        images: Images in a call.
        peak_memory_bytes: See :func:`peak_memory`; None where torch does not see the memory.
        turns_ms: Time of a call in each turn. Turn i of every callable measured together was
            run next to the others' turn i.
    """

    name: str
    median_ms: float
    p10_ms: float
    p90_ms: float
    n: int
    calls: int
    images: int
    peak_memory_bytes: int | None
    turns_ms: tuple[float, ...]

    @property
    def images_per_s(self) -> float:
        """Images in a second at the median."""
        return 1000 * self.images / self.median_ms


def summarise(
    name: str, turns_ms: list[float], calls: int = 1, images: int = 1, peak: int | None = None
) -> Timing:
    """A Timing out of the times of its turns (ms)."""
    p10, median, p90 = np.percentile(turns_ms, (10, 50, 90))
    turns = tuple(round(turn, 5) for turn in turns_ms)
    return Timing(
        name, float(median), float(p10), float(p90), len(turns), calls, images, peak, turns
    )


def ratio(a: Timing, b: Timing) -> float:
    """How many times as long as b a takes: the median over neighbouring turns.

    Unlike the quotient of the medians it does not suffer from a machine whose speed drifts.
    """
    return float(np.median(np.divide(a.turns_ms, b.turns_ms)))


@torch.inference_mode()
def measure(
    runs: Mapping[str, Run],
    device: str = 'cpu',
    turns: int = 20,
    seconds: float | None = None,
    min_turn_ms: float = 20.0,
    images: int = 1,
    untraced: tuple[str, ...] = (),
) -> list[Timing]:
    """Time callables against each other, in turns A B C A B C.

    A turn of calls below COLD_MS begins with one that is not timed.

    Args:
        runs: Name -> callable.
        device: Device to synchronise with around each turn.
        turns: Turns of each callable.
        seconds: Stop early, after at least MIN_TURNS, when this time is spent.
        min_turn_ms: A turn repeats short calls until it lasts about this long.
        images: Images in a call.
        untraced: Names whose memory torch does not see.

    Returns:
        A Timing for each callable, in order.
    """
    once = {name: warm_up(run, device) for name, run in runs.items()}
    calls = {name: max(1, round(min_turn_ms / ms)) for name, ms in once.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in within(turns, seconds):
        for name, run in runs.items():
            if once[name] < COLD_MS:
                run()
            times[name].append(time_ms(run, device, calls[name]))
    return [
        summarise(
            name, times[name], calls[name], images,
            None if name in untraced else peak_memory(run, device),
        )
        for name, run in runs.items()
    ]  # fmt: skip


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


def time_ms(run: Run, device: str = 'cpu', calls: int = 1) -> float:
    """Time of one call (ms), as the mean of successive calls."""
    synchronize(device)
    start = time.perf_counter()
    for _ in range(calls):
        run()
    synchronize(device)
    return 1000 * (time.perf_counter() - start) / calls


def warm_up(run: Run, device: str = 'cpu') -> float:
    """Call until the time is stable, and return the best time of the last window (ms)."""
    best = min(time_ms(run, device) for _ in range(WINDOW))
    for _ in range(MAX_WINDOWS):
        before, best = best, min(time_ms(run, device) for _ in range(WINDOW))
        if best >= before * (1 - STABLE):
            break
    return best


def peak_memory(run: Run, device: str = 'cpu') -> int:
    """Most bytes that one call holds at once beyond what was there before it.

    Weights and inputs are there before. On the CPU these are the bytes that torch's allocator
    hands out, on CUDA torch's own counter.
    """
    if torch.device(device).type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = run()
    del result
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'trace.json')
        profiler.export_chrome_trace(str(file))
        events = json.loads(file.read_text(encoding='utf-8'))['traceEvents']
    changes = [event['args']['Bytes'] for event in events if event.get('name') == '[memory]']
    return max(accumulate(changes, initial=0))

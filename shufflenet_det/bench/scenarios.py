"""How queries arrive, in the words of MLPerf: one after the other, all at once, or at a rate."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from .timing import Timing, summarise

TURN_MS = {'single-stream': 0.0, 'offline': 1000.0}
"""Scenario -> least length of a turn: one query each, or a second of queries back to back."""

SCENARIOS = (*TURN_MS, 'server')


@dataclass(frozen=True)
class Served:
    """A model under load.

    Args:
        latency: From the arrival of each query to its answer, waiting included.
        utilisation: Share of the time in which it computed; near 1 the queue grows without end.
    """

    latency: Timing
    utilisation: float


def arrivals(rate: float, queries: int, seed: int = 0) -> list[float]:
    """Seconds at which queries of a Poisson process arrive.

    Raises:
        ValueError: If the rate is not positive.
    """
    if not rate > 0:
        raise ValueError(f'--rate {rate:g} is not allowed; give queries a second, above 0')
    draw = random.Random(seed)
    return list(accumulate(draw.expovariate(rate) for _ in range(queries)))


def queue(arrived: Sequence[float], service: Sequence[float]) -> list[float]:
    """Latency of each query where one is served at a time, in the order of arrival."""
    latencies, free = [], 0.0
    for at, takes in zip(arrived, service, strict=True):
        free = max(free, at) + takes
        latencies.append(free - at)
    return latencies


def serve(
    name: str, run: Callable[[], object], rate: float, queries: int, images: int = 1
) -> Served:
    """Send queries at a rate and wait for each answer, in real time.

    Args:
        name: Of the model.
        run: Answers one query, and returns when it is done.
        rate: Queries a second.
        queries: How many.
        images: In a query.
    """
    latencies, computed = [], 0.0
    arrived, start = arrivals(rate, queries), time.perf_counter()
    for at in arrived:
        time.sleep(max(0.0, start + at - time.perf_counter()))
        begun = time.perf_counter()
        run()
        done = time.perf_counter()
        computed += done - begun
        latencies.append(1000 * (done - start - at))
    whole = time.perf_counter() - start
    return Served(summarise(name, latencies, images=images), computed / whole)

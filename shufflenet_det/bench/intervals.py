"""What samples say: percentiles that they can carry, intervals, ties. Pure functions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from math import comb

import numpy as np

CONFIDENCE = 0.95
"""Of every interval."""

BEYOND = 0.01
"""A percentile is stated from where the chance that at most one sample lies beyond it is this."""


@lru_cache
def least_samples(percent: float) -> int:
    """Samples from which a percentile is stated: 64 for p90 and p10, 662 for p99, as in MLPerf."""
    beyond = min(percent, 100 - percent) / 100
    inside = 1 - beyond
    return next(n for n in count(1) if inside**n + n * beyond * inside ** (n - 1) <= BEYOND)


def percentile(values: Sequence[float], percent: float) -> float | None:
    """A percentile, linear between samples; None of fewer than :func:`least_samples`."""
    if len(values) < least_samples(percent):
        return None
    return float(np.percentile(values, percent))


@lru_cache
def interval_rank(n: int) -> int | None:
    """k such that the k-th smallest and k-th largest of n samples enclose the median.

    The largest k for which both lie on one side with probability 1 - CONFIDENCE at most: the sign
    test. None of fewer than 6 samples, whose extremes do not do.
    """
    tail, found = 0, None
    for k in range(1, n // 2 + 1):
        tail += comb(n, k - 1)
        if 2 * tail > (1 - CONFIDENCE) * 2**n:
            break
        found = k
    return found


@dataclass(frozen=True)
class Ratio:
    """A ratio of two rows that were measured in turns.

    Args:
        median: Over the pairs of neighbouring turns.
        low, high: Its interval by the sign test; None of fewer than 6 pairs.
        band: Fraction by which two measurements of one row differ in this run.
    """

    median: float
    low: float | None
    high: float | None
    band: float = 0.0

    @property
    def is_tie(self) -> bool:
        """Whether the interval, widened by the band, holds 1."""
        if self.low is None:
            return False
        return self.low <= 1 + self.band and self.high >= 1 / (1 + self.band)


def ratio_of(a: Sequence[float], b: Sequence[float], band: float = 0.0) -> Ratio:
    """How many times as large as b a is, from pairs that were measured next to each other.

    Unlike the quotient of the medians it does not suffer from a machine whose speed drifts. The
    interval is that of the sign test on the logarithms, which keep the order of the quotients.
    """
    logs = sorted(np.log(np.divide(a, b)).tolist())
    rank = interval_rank(len(logs))
    median = float(np.exp(np.median(logs)))
    if rank is None:
        return Ratio(median, None, None, band)
    low, high = np.exp([logs[rank - 1], logs[-rank]]).tolist()
    return Ratio(median, low, high, band)


def rotations(size: int, seed: int | None = None) -> Iterator[list[int]]:
    """Orders of rounds without end: each block of ``size`` rounds is a cyclic Latin square.

    Every place is taken once by each in a block; the first order is drawn.

    Args:
        size: How many take turns.
        seed: Of the draw; None draws anew.
    """
    start = random.Random(seed).randrange(size)
    for turn in count(start):
        yield [(turn + place) % size for place in range(size)]


def share_between(groups: Sequence[Sequence[float]]) -> float | None:
    """Share of the variance of log times that lies between groups, such as processes.

    By the one-way analysis of variance with random effects; groups of unlike size count by their
    mean size. None of fewer than two groups, or where nothing varies.
    """
    logs = [np.log(group) for group in groups if len(group) > 1]
    if len(logs) < 2:
        return None
    sizes = np.array([len(group) for group in logs])
    means = np.array([group.mean() for group in logs])
    grand = float(np.concatenate(logs).mean())
    within = sum(((group - group.mean()) ** 2).sum() for group in logs) / (sizes - 1).sum()
    spread = (sizes * (means - grand) ** 2).sum() / (len(logs) - 1)
    between = max(0.0, (spread - within) / sizes.mean())
    total = between + within
    return float(between / total) if total > 0 else None

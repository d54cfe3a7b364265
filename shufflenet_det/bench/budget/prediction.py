"""From times of parts to times of networks, and how far off that is. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import numpy as np

T = TypeVar('T')


@dataclass(frozen=True)
class Correction:
    """What a whole network takes beyond the sum of its parts: ``unit_ms * units + factor * sum``.

    A part that is called again and again finds its weights in the caches; one of a network, whose
    other units ran in between, does not.

    Args:
        unit_ms: Of each unit.
        factor: Of the sum.
    """

    unit_ms: float = 0.0
    factor: float = 1.0

    def __call__(self, sum_ms: float, units: int) -> float:
        return self.unit_ms * units + self.factor * sum_ms


def fit(sums_ms: Sequence[float], units: Sequence[int], whole_ms: Sequence[float]) -> Correction:
    """The correction with the least squares of relative errors.

    Raises:
        ValueError: If there are fewer than two networks.
    """
    if len(sums_ms) < 2:
        raise ValueError(f'{len(sums_ms)} networks do not fit two numbers; give at least 2')
    columns = np.stack((units, sums_ms), 1) / np.asarray(whole_ms)[:, None]
    (unit_ms, factor), *_ = np.linalg.lstsq(columns, np.ones(len(columns)), rcond=None)
    return Correction(float(unit_ms), float(factor))


@dataclass(frozen=True)
class Agreement:
    """Predicted beside measured times of networks that took no part in the fit.

    Args:
        n: Networks.
        median_error, largest_error: Of |predicted / measured - 1|.
        rank_correlation: Spearman's.
    """

    n: int
    median_error: float
    largest_error: float
    rank_correlation: float


def agreement(predicted_ms: Sequence[float], measured_ms: Sequence[float]) -> Agreement:
    """How well predictions hold."""
    errors = [abs(p / m - 1) for p, m in zip(predicted_ms, measured_ms, strict=True)]
    return Agreement(
        len(errors), median(errors), max(errors), rank_correlation(predicted_ms, measured_ms)
    )


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's, equal values sharing their mean rank."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Sequence[float]) -> np.ndarray:
    values = np.asarray(values)
    return (values[:, None] > values).sum(1) + (values[:, None] == values).sum(1) / 2


def frontier(rows: Sequence[T], ms, macs) -> list[T]:
    """Rows that no other row beats in macs without taking longer, from the fastest.

    Args:
        rows: Anything.
        ms, macs: Of a row.
    """
    best: list[T] = []
    for row in sorted(rows, key=lambda row: (ms(row), -macs(row))):
        if not best or macs(row) > macs(best[-1]):
            best.append(row)
    return best


def spread(rows: Sequence[T], count: int) -> list[T]:
    """So many of the rows at equal distances, first and last among them."""
    if count >= len(rows):
        return list(rows)
    return [rows[round(i)] for i in np.linspace(0, len(rows) - 1, count)]

"""What stored columns of the guidelines say: speeds, gains of the advised row, whether it holds."""

from __future__ import annotations

from collections.abc import Mapping

from shufflenet_det.bench.intervals import Ratio
from shufflenet_det.bench.timing_columns import speed_ratio

from .guidelines import GUIDELINES

NOISE = 0.03
"""Differences below this fraction, or below what equal rows differ by, decide nothing."""


def speeds(key: str, column: Mapping) -> dict[str, Ratio]:
    """Row -> its speed relative to the first row.

    Args:
        key: Of the guideline.
        column: A width, as the result holds it.
    """
    timings = {timing['name']: timing for timing in column['timings']}
    rows = GUIDELINES[key].rows
    first = timings[rows[0].name]
    return {row.name: speed_ratio(timings[row.name], first, column['noise']) for row in rows}


def gains(key: str, column: Mapping) -> dict[str, Ratio]:
    """Other row -> how many times as fast as it the advised one is."""
    timings = {timing['name']: timing for timing in column['timings']}
    guideline, band = GUIDELINES[key], max(NOISE, column['noise'])
    return {
        row.name: speed_ratio(timings[guideline.advised], timings[row.name], band)
        for row in guideline.rows if row.name != guideline.advised
    }  # fmt: skip


def confirmed(found: Mapping[str, Ratio]) -> list[str]:
    """Rows that the advised one beats by more than the noise."""
    return [n for n, gain in found.items() if gain.median > 1 + gain.band and not gain.is_tie]


def verdict(found: Mapping[str, Ratio]) -> str:
    """Whether the advised row is the fastest of a column."""
    rows = confirmed(found)
    if len(rows) == len(found):
        return 'holds'
    return f'holds against {len(rows)} of {len(found)}' if rows else 'does not hold'

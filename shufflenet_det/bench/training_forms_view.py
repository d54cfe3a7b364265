"""How forms of a training step are shown as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from .tables import Table
from .timing_columns import note_of, speed_ratio, tie_band, time_columns


def tables(result: Mapping) -> Iterator[Table]:
    """The view of a result."""
    rows, first = result['rows'], result['rows'][0]
    band = tie_band(first['timing'], result['again'])
    header, times = time_columns([row['timing'] for row in rows])
    yield Table(
        'speed', f'A training step of {result["config"]} on {result["data"]}, loading included, '
        'and how far the losses of the first ten steps are from those of the first row at most.'
        + note_of(band),
        ('form', *header, 'speed / first row', 'losses, %'),
        tuple(
            (row['form'], *cells, speed_ratio(row['timing'], first['timing'], band or 0.0),
             100 * farthest(row['losses'][:10], first['losses'][:10]))
            for row, cells in zip(rows, times, strict=True)
        ),
    )  # fmt: skip


def farthest(losses: list[float], others: list[float]) -> float:
    """The largest relative difference of two curves."""
    return float(np.max(np.abs(np.divide(losses, others) - 1)))

"""How forms of a training step are shown as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .tables import Table
from .timing_columns import note_of, speed_ratio, tie_band, time_columns


def tables(result: Mapping) -> Iterator[Table]:
    """The view of a result."""
    rows, first = result['rows'], result['rows'][0]
    band = tie_band(first['timing'], result['again'])
    header, times = time_columns([row['timing'] for row in rows])
    yield Table(
        'speed', f'A training step of {result["config"]} on {result["data"]}, loading included, '
        'and how far the loss of the first step is from that of the first row; after it, roundings '
        'decide which proposals are drawn.' + note_of(band),
        ('form', *header, 'speed / first row', 'first loss, %'),
        tuple(
            (row['form'], *cells, speed_ratio(row['timing'], first['timing'], band or 0.0),
             100 * abs(row['losses'][0] / first['losses'][0] - 1))
            for row, cells in zip(rows, times, strict=True)
        ),
    )  # fmt: skip

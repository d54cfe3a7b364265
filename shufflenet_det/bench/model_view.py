"""How a result of models from anywhere is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .tables import Table
from .timing_columns import memory_mib, note_of, speed_ratio, tie_band, time_columns


def model_tables(result: Mapping) -> Iterator[Table]:
    """One table of all rows; speeds are relative to the first row of the same kind of turn."""
    rows = result['rows']
    first = rows[0]['timing']
    band = tie_band(first, result.get('again'))
    served = any(row['utilisation'] is not None for row in rows)
    header, times = time_columns([row['timing'] for row in rows])
    yield Table(
        'speed', 'Models, one call after the other.' + note_of(band) if not served else
        'Models that answer queries which arrive at random, from arrival to answer.',
        ('model', 'form', 'phase', *header, *(['utilisation'] if served else ['speed / first row']),
         'peak MiB'),
        tuple(
            (row['model'], row['form'], row['phase'], *cells,
             row['utilisation'] if served else
             speed_ratio(row['timing'], first, band or 0.0)
             if len(row['timing']['turns_ms']) == len(first['turns_ms']) else None,
             memory_mib(row['timing']))
            for row, cells in zip(rows, times, strict=True)
        ),
    )  # fmt: skip

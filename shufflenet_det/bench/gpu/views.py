"""How the results of bench/gpu are shown as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..tables import Table
from ..timing_columns import memory_mib, time_columns

DATA = 'data'
"""What bounds a training that its loader cannot feed."""


def agreement_tables(result: Mapping) -> Iterator[Table]:
    """The graph's detections beside the eager detector's."""
    yield Table(
        'agreement', 'Whole detectors as one CUDA graph beside the eager detector in single '
        'precision (no TF32), with fresh weights spread so that they detect: three batches, the '
        'last the first again.',
        ('config', 'dtype', 'batch', 'detections', 'found again, %', 'largest difference, px',
         'largest difference of scores', 'within tolerance'),
        tuple(
            (row['config'], row['dtype'], row['batch'], row['detections'],
             100 * row['found_again'], row['pixels'], row['score'],
             'yes' if row['agrees'] else 'NO')
            for row in result['rows']
        ),
    )  # fmt: skip


def training_tables(result: Mapping) -> Iterator[Table]:
    """Steps with what bounds them, and their parts."""
    rows = result['rows']
    header, times = time_columns([row['step'] for row in rows])
    yield Table(
        'speed', 'Training steps in mixed precision on images that lie in memory, and what the '
        "config's loader reads beside it from generated JPEGs; bound by: the slower of both, of "
        'the step its longest part.',
        ('config', 'input', *header, 'loader, images/s', 'workers', 'bound by', 'peak MiB'),
        tuple(
            (row['config'], '{}x{}'.format(*row['size']), *cells, row['loader_images_per_s'],
             row['workers'], bound_of(row), memory_mib(row['step']))
            for row, cells in zip(rows, times, strict=True)
        ),
    )  # fmt: skip
    names = list(dict.fromkeys(part for row in rows for part in row['parts']))
    yield Table(
        'parts', 'Parts of the steps, waited for one by one, median ms; a detector\'s losses are '
        'in its heads.',
        ('config', 'input', *names),
        tuple(
            (row['config'], '{}x{}'.format(*row['size']), *map(row['parts'].get, names))
            for row in rows
        ),
    )  # fmt: skip


def bound_of(row: Mapping) -> str:
    """What a training waits for."""
    step = row['step']
    if row['loader_images_per_s'] < 1000 * step['images'] / step['median_ms']:
        return DATA
    return max(row['parts'], key=row['parts'].get)

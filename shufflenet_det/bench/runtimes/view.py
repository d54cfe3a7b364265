"""The record of runtimes as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shufflenet_det.bench.tables import Cell, Table
from shufflenet_det.bench.timing_columns import MIB
from shufflenet_det.deploy.model_info import PRECISIONS

from .plan import PACKAGES, RANDOM

HEADER = (
    'runtime', 'precision', 'same, %', 'of', 'added', 'apart by px', 'by score', 'AP',
    'ms, 1 thread', 'ms, 2 threads', 'file MiB', 'peak MiB', 'lost',
)  # fmt: skip


def tables(result: Mapping) -> Iterator[Table]:
    """A table for each detector."""
    for detector in dict.fromkeys(row['detector'] for row in result['rows']):
        rows = sorted((row for row in result['rows'] if row['detector'] == detector), key=_place)
        counts = {row['images'] for row in rows if 'images' in row}
        yield Table(
            detector,
            f'{detector}, {_weights(rows[0]["weights"])}, on {max(counts, default=0)} test '
            f'pictures of {rows[0]["data"]}, beside PyTorch. Same: detections of the same class '
            'with an IoU of .99 or more, beside PyTorch that pads as far; apart: the largest '
            'differences among them; peak: memory of a process of its own with one thread.',
            HEADER, tuple(map(_cells, rows)),
        )  # fmt: skip


def _place(row: Mapping) -> tuple[int, int]:
    return list(PACKAGES).index(row['runtime']), PRECISIONS.index(row['precision'])


def _weights(origin: str) -> str:
    return 'random weights' if origin == RANDOM else f'trained ({origin})'


def _cells(row: Mapping) -> tuple[Cell, ...]:
    if 'error' in row:
        return (row['runtime'], row['precision'], *[None] * 10, row['error'])
    side = row.get('side')
    runtime = f'{row["runtime"]}, padded to {side} px' if side else row['runtime']
    share = 100 * row['same'] / row['detections'] if row['detections'] else None
    times = row.get('times', {})
    return (
        runtime, row['precision'], share, row['detections'], row['added'], row['pixels'],
        row['score'], row['ap'], *(times.get(n, {}).get('median_ms') for n in ('1', '2')),
        row['size_bytes'] / MIB, row['peak_memory_bytes'] and row['peak_memory_bytes'] / MIB, None,
    )  # fmt: skip

"""Results on photographs as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean, stdev

from shufflenet_det.bench.tables import MILLION, Cell, Table

TIMED = '; CPU ms: one thread, from a resized picture to its boxes, beside other work'
FIGURES = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl')


def accuracy_tables(result: Mapping, timed: bool = False) -> Iterator[Table]:
    """A table for each data set, its rows in the order of their AP; lost rows at the end.

    Args:
        result: Rows of trainings.
        timed: Whether their CPU ms are shown, which compare only within one machine and day.
    """
    for data in dict.fromkeys(row['data'] for row in result['rows']):
        groups: dict[str, list[Mapping]] = {}
        for row in result['rows']:
            if row['data'] == data:
                groups.setdefault(_name(row), []).append(row)
        cells = [_accuracy(group, timed) for group in groups.values()]
        rows = sorted(cells, key=lambda cells: -(cells[3] or 0))
        yield Table(
            data,
            f'{data}: figures of the test split after the last epoch, mean over the seeds; '
            '+-: standard deviation of AP over them; proposals: share of the objects that the '
            f'first of them cover at IoU .5; macs: of a square picture; '
            f'training: one thread, beside other work, on different days{TIMED * timed}.',
            ('detector', 'seeds', 'epochs', 'AP', '+-', *FIGURES[1:], 'AP of val', '100 proposals',
             '300 proposals', *['CPU ms'] * timed, 'M macs', 'M parameters', 'training, CPU s',
             'lost'),
            tuple(rows),
        )  # fmt: skip


def _accuracy(rows: Sequence[Mapping], timed: bool) -> tuple[Cell, ...]:
    """Cells of one detector: its seeds that came to an end, and those that did not."""
    whole = [row for row in rows if 'error' not in row]
    lost = '; '.join(row['error'] for row in rows if 'error' in row) or None
    if not whole:
        return (_name(rows[0]), 0, *[None] * (14 + timed), lost)
    aps = [row['test']['AP'] for row in whole]
    return (
        _name(rows[0]), len(whole), whole[0]['curve'][-1]['epoch'], mean(aps),
        stdev(aps) if len(aps) > 1 else None,
        *(_mean(row['test'][name] for row in whole) for name in FIGURES[1:]),
        mean(row['val']['AP'] for row in whole),
        *(_mean(row['test'].get('recall', {}).get(n) for row in whole) for n in ('100', '300')),
        *[_mean(row['cpu_ms'] for row in whole)] * timed,
        whole[0]['macs'] and whole[0]['macs'] / MILLION,
        whole[0]['parameters'] / MILLION,
        _mean(row['cpu_seconds'] for row in whole),
        lost,
    )  # fmt: skip


def _name(row: Mapping) -> str:
    return ', '.join(filter(None, (row['config'], row.get('step'))))


def _mean(values: Iterator[float | None]) -> float | None:
    """Mean of what was measured; -1 is CocoMetric's for no object of that size."""
    found = [value for value in values if value is not None and value >= 0]
    return mean(found) if found else None


def step_tables(result: Mapping) -> Iterator[Table]:
    """A table for each data set: the steps of a search in the order in which they were tried."""
    for data in dict.fromkeys(row['data'] for row in result['rows']):
        tried = [row for row in result['rows'] if row['data'] == data]
        known = {row['step']: row for row in tried if 'error' not in row}
        yield Table(
            data,
            f'Steps tried on {data}: AP of the validation split after so many epochs, one seed; '
            'effect: against the step named.',
            ('step', 'detector', 'epochs', 'AP', 'effect', 'against', 'AP50', '100 proposals',
             '300 proposals', 'training, CPU s', 'lost'),
            tuple(_step(row, known.get(row['than'])) for row in tried),
        )  # fmt: skip


def _step(row: Mapping, than: Mapping | None) -> tuple[Cell, ...]:
    ap = None if 'error' in row else row['val']['AP']
    return (
        row['step'], row['config'], row['epochs'], ap,
        ap - than['val']['AP'] if than and ap is not None else None, row['than'] or None,
        None if ap is None else row['val']['AP50'],
        *(row.get('val', {}).get('recall', {}).get(n) for n in ('100', '300')),
        row.get('cpu_seconds'), row.get('error'),
    )  # fmt: skip

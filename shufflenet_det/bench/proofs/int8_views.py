"""How the result of int8 is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from shufflenet_det.bench.tables import Cell, Table
from shufflenet_det.bench.timing_columns import note_of, speed_ratio, tie_band, time_columns

from .int8 import SPLITS, TIMED_IMAGES


def tables(result: Mapping) -> Iterator[Table]:
    """The views of a result."""
    rows = result['rows']
    single = {(r['data'], r['runtime']): r['ap'] for r in rows if r['precision'] == 'fp32'}
    yield Table(
        'ap', 'AP of whole detectors on photographs in int8 and single precision, and what is lost '
        'to single precision in the same runtime; the files are calibrated on training pictures.',
        ('set', 'runtime', 'precision', 'MiB', *(f'AP, {split}' for split in SPLITS),
         *(f'lost, {split}' for split in SPLITS)),
        tuple(
            (r['data'], r['runtime'], r['precision'], r['mib'],
             *(f'{r["ap"][s]:.3f}' for s in SPLITS),
             *(_lost(r, single[r['data'], r['runtime']], s) for s in SPLITS))
            for r in rows
        ),
    )  # fmt: skip
    if result.get('choices'):
        yield _choice_table(result['choices'])
    if result.get('times'):
        yield _time_table(result)
        yield _front_table(result)


def _lost(row: Mapping, single: Mapping, split: str) -> str:
    if row['precision'] == 'fp32':
        return '–'
    return f'{single[split] - row["ap"][split]:+.3f}'


def _choice_table(rows: Sequence[Mapping]) -> Table:
    sets = list(dict.fromkeys(row['data'] for row in rows))
    found = {(row['data'], row['method']): row['ap'] for row in rows}
    words = list(dict.fromkeys(row['method'] for row in rows))
    return Table(
        'choices', 'AP of the validation split in int8 where one thing is other than in the '
        "exporter's method.", ('method', *sets),
        tuple(
            (method, *(f'{found[data, method]:.3f}' if (data, method) in found else None
                       for data in sets))
            for method in words
        ),
    )  # fmt: skip


def _band(result: Mapping) -> float | None:
    return tie_band(result['times'][0]['timing'], result['again'])


def _speeds(result: Mapping) -> list[Cell]:
    """Of each timed row, beside the first of its set."""
    rows, band = result['times'], _band(result) or 0.0
    first = {row['data']: row['timing'] for row in reversed(rows)}
    return [speed_ratio(row['timing'], first[row['data']], band) for row in rows]


def _time_table(result: Mapping) -> Table:
    rows = result['times']
    header, times = time_columns([row['timing'] for row in rows])
    cells: list[tuple[Cell, ...]] = [
        (row['data'], row['runtime'], row['precision'], *own, speed)
        for row, own, speed in zip(rows, times, _speeds(result), strict=True)
    ]
    return Table(
        'times', f'Whole detectors from the picture to its boxes, {TIMED_IMAGES} pictures of the '
        'test split a call, resizing included.' + note_of(_band(result)),
        ('set', 'runtime', 'precision', *header, 'speed / first row of the set'), tuple(cells),
    )  # fmt: skip


def _front_table(result: Mapping) -> Table:
    """Accuracy beside speed."""
    rows = {(row['data'], row['runtime'], row['precision']): row for row in result['rows']}
    cells = []
    for row, speed in zip(result['times'], _speeds(result), strict=True):
        found, timing = rows[row['data'], row['runtime'], row['precision']], row['timing']
        ms = (timing[key] / timing['images'] for key in ('median_ms', 'min_ms', 'max_ms'))
        cells.append((
            row['data'], row['runtime'], row['precision'], found['mib'], found['ap']['test'],
            found['ap50']['test'], *ms, timing['n'], speed,
        ))  # fmt: skip
    return Table(
        'front', 'Trained detectors on photographs: accuracy on the test split, and a picture from '
        f'the photograph to its boxes, resizing included, mean of {TIMED_IMAGES}.'
        + note_of(_band(result)),
        ('set', 'runtime', 'precision', 'MiB', 'AP', 'AP50', 'median ms', 'min', 'max', 'n',
         'speed / first row of the set'), tuple(cells),
    )  # fmt: skip

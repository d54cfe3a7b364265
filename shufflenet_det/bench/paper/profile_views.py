"""How the results that stand on torch's profiler are shown as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from shufflenet_det.bench.tables import MILLION, Cell, Table
from shufflenet_det.bench.timing_columns import EACH_BAND

from .decomposition import CLASSES, CONV, DEPTHWISE
from .guidelines import GUIDELINES
from .printed import FIGURE2, paper_chips
from .verdicts import gains, speeds, verdict


def decomposition_tables(result: Mapping) -> Iterator[Table]:
    """Figure 2, ours and the paper's."""
    rows = result['rows']
    yield Table(
        'shares', 'Where the time goes, in percent of the time under the profiler.',
        ('backbone', *CLASSES, 'ms'),
        tuple((row['name'], *_shares(row), row['total_ms']) for row in rows),
    )  # fmt: skip
    yield Table(
        'ops', 'The ten operators that take most of the time, summed over all rows, in ms.',
        ('operator', *(row['name'] for row in rows)), tuple(_top_ops(rows)),
    )  # fmt: skip
    classes = tuple(name for name in CLASSES if name != DEPTHWISE)
    yield Table(
        'paper', "The paper's shares in percent (figure 2). It does not say whether conv holds the "
        'depthwise convs; its guideline G4 counts these as element-wise.',
        ('network', *classes),
        tuple((name, *(shares[c] for c in classes)) for name, shares in FIGURE2.items()),
    )  # fmt: skip


def _shares(row: Mapping) -> list[float]:
    return [100 * row['class_ms'][name] / row['total_ms'] for name in CLASSES]


def _top_ops(rows: Sequence[Mapping], count: int = 10) -> Iterator[tuple[Cell, ...]]:
    total: dict[str, float] = {}
    for row in rows:
        for op, ms in row['op_ms'].items():
            total[op] = total.get(op, 0.0) + ms
    for op in sorted(total, key=total.get, reverse=True)[:count]:
        yield (op, *(row['op_ms'].get(op) for row in rows))


def guideline_tables(result: Mapping) -> Iterator[Table]:
    """Tables 1 to 4 and the units, each with its verdict and with the time of its operators."""
    yield Table(
        'verdicts', 'Does the guideline hold on this machine? Differences below 3 %, or below '
        'those of two measurements of the same row, decide nothing, and neither do ties. Gains '
        'are the speed of the row that it advises over the others.' + EACH_BAND,
        ('guideline', 'channels', 'verdict', 'least gain', 'largest gain', 'same row twice, %'),
        tuple(
            _verdict(table['key'], column) for table in result['tables']
            for column in table['columns']
        ),
    )  # fmt: skip
    for table in result['tables']:
        yield _relative_speeds(table, paper_chips(result))
        yield _reason(table)


def _verdict(key: str, column: Mapping) -> tuple[Cell, ...]:
    found = gains(key, column)
    by_gain = sorted(found.values(), key=lambda gain: gain.median)
    title = f'{key}: {GUIDELINES[key].title}'
    return (title, str(column['c']), verdict(found), by_gain[0], by_gain[-1],
            100 * column['noise'])  # fmt: skip


def _relative_speeds(table: Mapping, chips: Sequence[str]) -> Table:
    guideline, columns = GUIDELINES[table['key']], table['columns']
    places = range(len(columns))
    header = [f'ours, c={column["c"]}' for column in columns]
    printed = [name for name in chips if getattr(guideline.rows[0], name)]
    header += [f'paper {n.upper()}, c={guideline.widths[n][i]}' for n in printed for i in places]
    found = [speeds(table['key'], column) for column in columns]
    rows = []
    for row in guideline.rows:
        cells = [of_width[row.name] for of_width in found]
        for name in printed:
            paper, first = getattr(row, name), getattr(guideline.rows[0], name)
            cells += [paper and paper[i] / first[i] for i in places]
        rows.append((row.name, *cells))
    return Table(
        table['key'], f'{guideline.title} ({guideline.source}): speed relative to the first row.'
        + EACH_BAND,
        ('row', *header), tuple(rows),
    )  # fmt: skip


def _reason(table: Mapping) -> Table:
    """Rates and shares at the largest width: what makes a row slow or fast."""
    column = table['columns'][-1]
    timings = {timing['name']: timing for timing in column['timings']}
    rows = []
    for profile in table['profile']:
        name, (op, ms) = profile['name'], next(iter(profile['op_ms'].items()))
        timing = timings[name]
        conv_ms = sum(profile['class_ms'][kind] for kind in (CONV, DEPTHWISE)) / timing['images']
        mega = column['macs'][name] / MILLION
        rows.append((
            name, mega / 1000, timing['median_ms'], mega * timing['images'] / timing['median_ms'],
            mega / conv_ms, *_shares(profile), f'{op} {100 * ms / profile["total_ms"]:.0f} %',
        ))  # fmt: skip
    return Table(
        f'{table["key"]}-profile', f'{table["key"]} at c={column["c"]}: rate and share of the '
        'classes of operators, in percent.',
        ('row', 'G macs', 'median ms', 'G macs/s', 'G macs/s in convs', *CLASSES, 'most time in'),
        tuple(rows),
    )  # fmt: skip

"""Tables out of result files; nothing here measures, so nothing here needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .intervals import Ratio

Cell = str | int | float | Ratio | None
MILLION = 1e6


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Args:
        name: Short name, unique within its result.
        caption: What it shows, in one sentence.
        header: Column names, with units.
        rows: Cells; floats are shown with three significant digits, None as a dash, a
            ratio with its interval.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def show(cell: Cell) -> str:
    """A cell as a reader wants to see it."""
    if cell is None:
        return '–'
    if isinstance(cell, float):
        return f'{cell:,.0f}' if abs(cell) >= 100 else f'{cell:.3g}'
    if isinstance(cell, Ratio):
        return _show_ratio(cell)
    return f'{cell:,}' if isinstance(cell, int) else str(cell)


def _show_ratio(ratio: Ratio) -> str:
    """Median and interval, and whether it is a tie; a row beside itself is just 1."""
    if ratio.low == ratio.high == 1:
        return '1'
    low, high = show(ratio.low), show(ratio.high)
    inside = f'{low} to {high}' if ratio.low is not None else 'too few turns'
    return f'{show(ratio.median)} ({inside})' + ' tie' * ratio.is_tie


def markdown(table: Table) -> str:
    """A GitHub table; columns of numbers are right-aligned."""
    numeric = [_is_numeric([row[i] for row in table.rows]) for i in range(len(table.header))]
    lines = [
        table.header,
        ['---:' if is_number else '---' for is_number in numeric],
        *([show(cell).replace('|', r'\|') for cell in row] for row in table.rows),
    ]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def _is_numeric(cells: Sequence[Cell]) -> bool:
    return not any(isinstance(cell, str) for cell in cells)


def conditions(environment: dict) -> str:
    """One line that says under which conditions a result was measured."""
    found = environment.get
    versions = found('versions', {})
    parts = [
        found('device'),
        found('instructions'),
        _threads(found('threads'), found('wait')),
        found('dtype'),
        found('batch') and f'batch {found("batch")}',
        found('size') and '{}x{}'.format(*found('size')),
        versions.get('torch') and f'torch {versions["torch"]}',
        found('commit') and f'commit {found("commit")}',
        found('date', '')[:10],
    ]
    busy = found('machine', {}).get('busy')
    return ', '.join(part for part in parts if part) + (f'; BUSY: {busy}' if busy else '')


def _threads(threads: int | None, wait: str | None) -> str | None:
    """How they wait matters from two on."""
    if threads is None or threads == 1:
        return threads and '1 thread'
    return f'{threads} threads' + (f' with {wait} wait' if wait else '')

"""One self-contained HTML page: no file beside it, no network, light and dark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .intervals import Ratio
from .tables import Cell, Table, show

STYLE = """
:root {
  color-scheme: light dark;
  --line: #d6dae0; --head: #f1f3f6; --dim: #5b6470; --link: #1f5fbf
}
@media (prefers-color-scheme: dark) {
  :root { --line: #3a4048; --head: #252a31; --dim: #a4adb8; --link: #7fb0ff }
  body { background: #16191d; color: #e4e7eb }
}
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin: 3rem 0 .2rem } a { color: var(--link) }
p.setting { color: var(--dim); margin: 0 0 1rem } nav li { margin: .15rem 0 }
figure { margin: 1.5rem 0; overflow-x: auto } figcaption { margin-bottom: .4rem }
figure.chart { display: inline-block; max-width: 100%; margin-right: 1rem; vertical-align: top }
svg { width: 36rem; max-width: 100%; height: auto }
table { border-collapse: collapse; font-size: .86rem }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left }
th { background: var(--head); cursor: pointer; user-select: none; vertical-align: bottom }
th::after { content: ' \\2195'; color: var(--dim) }
th[aria-sort=ascending]::after { content: ' \\2191' }
th[aria-sort=descending]::after { content: ' \\2193' }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
"""

SCRIPT = """
const value = cell => cell.dataset.value === undefined ? cell.textContent : +cell.dataset.value;
const order = (a, b) => a === '–' ? 1 : b === '–' ? -1
  : typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
const sort = head => {
  const index = head.cellIndex, body = head.closest('table').tBodies[0];
  const sign = head.ariaSort === 'ascending' ? -1 : 1;
  for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
  head.ariaSort = sign > 0 ? 'ascending' : 'descending';
  const by = row => value(row.cells[index]);
  body.append(...[...body.rows].sort((a, b) => sign * order(by(a), by(b))));
};
for (const head of document.querySelectorAll('th')) {
  head.tabIndex = 0;
  head.onclick = () => sort(head);
  head.onkeydown = event => { if (event.key === 'Enter') sort(head); };
}
"""


@dataclass(frozen=True)
class Section:
    """What a page shows of one result.

    Args:
        title: Its heading.
        setting: One line on how it was measured.
        tables: Its tables.
        charts: (caption, SVG) of its charts.
    """

    title: str
    setting: str
    tables: Sequence[Table]
    charts: Sequence[tuple[str, str]]


def text(value: object) -> str:
    """Anything as text that is no markup; results may be edited by hand."""
    return escape(str(value))


def page(title: str, sections: Sequence[Section]) -> str:
    """The page as HTML text."""
    links = ''.join(f'<li><a href="#{anchor(s.title)}">{text(s.title)}</a></li>' for s in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f'<h1>{text(title)}</h1>\n<p>Click a column to sort by it.</p>\n'
        f'<nav><ul>{links}</ul></nav>\n{"".join(map(_section, sections))}'
        f'<script>{SCRIPT}</script>\n</body>\n</html>\n'
    )


def anchor(title: str) -> str:
    """A heading as an id."""
    return re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')


def _section(section: Section) -> str:
    charts = ''.join(
        f'<figure class="chart"><figcaption>{text(caption)}</figcaption>{svg}</figure>\n'
        for caption, svg in section.charts
    )
    return (
        f'<section>\n<h2 id="{anchor(section.title)}">{text(section.title)}</h2>\n'
        f'<p class="setting">{text(section.setting)}</p>\n{charts}'
        f'{"".join(map(_table, section.tables))}</section>\n'
    )


def _table(table: Table) -> str:
    header = ''.join(f'<th scope="col">{text(name)}</th>' for name in table.header)
    rows = ''.join(f'<tr>{"".join(map(_cell, row))}</tr>\n' for row in table.rows)
    return (
        f'<figure>\n<figcaption>{text(table.caption)}</figcaption>\n<table>\n'
        f'<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</figure>\n'
    )


def _cell(cell: Cell) -> str:
    value = cell.median if isinstance(cell, Ratio) else cell
    if value is not None and not isinstance(value, int | float):
        return f'<td>{text(show(cell))}</td>'
    data = '' if value is None else f' data-value="{value!r}"'
    return f'<td class="number"{data}>{text(show(cell))}</td>'

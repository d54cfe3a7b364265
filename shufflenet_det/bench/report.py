"""Result files as one HTML page, and as the tables of a README."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from .environment import read_results
from .page import Section, page
from .plots import figures_of, inline_svg
from .tables import conditions, markdown
from .views import tables_of

MARKER = re.compile(r'(<!-- results:(\S+) -->\n).*?(<!-- /results -->)', re.DOTALL)
"""A generated part of a README. ``results:FILE`` is a file's first table, ``results:FILE/TABLE``
the one of that name."""


def html_report(results: Mapping[str, Mapping], title: str = 'shufflenet_det, measured') -> str:
    """A page that shows every result; nothing is loaded from elsewhere.

    Args:
        results: From :func:`~shufflenet_det.bench.environment.read_results`.
        title: Its heading.

    Raises:
        ValueError: If a result is of an unknown kind.
    """
    return page(title, [_section(name, result) for name, result in results.items()])


def _section(name: str, result: Mapping) -> Section:
    charts = [
        (caption, inline_svg(figure, salt=f'{name} {caption}'))
        for caption, figure in figures_of(result).items()
    ]
    return Section(name, conditions(result.get('environment', {})), tables_of(result), charts)


def markdown_tables(results: Mapping[str, Mapping]) -> dict[str, str]:
    """Markdown of every table, by ``FILE/TABLE``, and of each file's first one by ``FILE``."""
    found = {}
    for name, result in results.items():
        where = conditions(result.get('environment', {}))
        for number, table in enumerate(tables_of(result)):
            caption = f'{table.caption} {where}.' if where else table.caption
            text = f'{caption}\n\n{markdown(table)}\n'
            found[f'{name}/{table.name}'] = text
            if number == 0:
                found[name] = text
    return found


def fill(text: str, tables: Mapping[str, str]) -> str:
    """A README with its generated parts made anew.

    Raises:
        ValueError: If a marker names a table that does not exist, or is not closed.
    """
    opened, complete = text.count('<!-- results:'), len(MARKER.findall(text))
    if opened != complete:
        raise ValueError(
            f'{opened - complete} of {opened} "<!-- results:NAME -->" have no '
            '"<!-- /results -->" of their own; close each, and put both on lines of their own'
        )

    def made(match: re.Match) -> str:
        start, name, end = match.groups()
        if name not in tables:
            raise ValueError(f'results:{name} is not there; allowed: {sorted(tables)}')
        return f'{start}\n{tables[name]}\n{end}'

    return MARKER.sub(made, text)


def readme_differs(readme: str | Path, folder: str | Path) -> bool:
    """Whether the tables of a README are not those of the results.

    Raises:
        ValueError: As in :func:`fill`.
    """
    text = Path(readme).read_text(encoding='utf-8')
    if '<!-- results:' not in text:
        return False
    return fill(text, markdown_tables(read_results(folder))) != text

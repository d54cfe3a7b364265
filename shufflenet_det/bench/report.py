"""Result files as one HTML page, and as the tables and figures of the pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from .environment import read_results
from .page import Section, page
from .plots import figures_of, inline_svg
from .prose.figures import fill_figures, pending
from .prose.records import Records
from .recording import RECORDINGS
from .tables import conditions, markdown
from .views import tables_of

MARKER = re.compile(r'(<!-- results:(\S+) -->\n).*?(<!-- /results -->)', re.DOTALL)
"""A generated table of a page. ``results:FILE`` is a file's first table, ``results:FILE/TABLE``
the one of that name."""


PAGES = ('README.md', '[a-z]*/**/README.md')


def every_page(root: Path = Path()) -> list[Path]:
    """The pages of a working copy."""
    return sorted(path for pattern in PAGES for path in root.glob(pattern))


def html_report(results: Mapping[str, Mapping], title: str = 'shufflenet_det, measured') -> str:
    """A page that shows every result; nothing is loaded from elsewhere.

    Args:
        results: From :func:`~shufflenet_det.bench.environment.read_results`.
        title: Its heading.

    Raises:
        ValueError: Naming the file, if a result is of an unknown kind or lacks what its kind has.
    """
    return page(title, [_of_file(_section, name, result) for name, result in results.items()])


def _of_file(make: Callable, name: str, result: Mapping) -> object:
    """What is made of a file's content, which may be anything that JSON can say."""
    try:
        return make(name, result)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f'{name}.json is no result as our tools write it ({type(error).__name__}: {error}); '
            'measure again or delete it'
        ) from error


def _section(name: str, result: Mapping) -> Section:
    charts = [
        (caption, inline_svg(figure, salt=f'{name} {caption}'))
        for caption, figure in figures_of(result).items()
    ]
    return Section(name, conditions(result.get('environment', {})), tables_of(result), charts)


def markdown_tables(results: Mapping[str, Mapping]) -> dict[str, str]:
    """Markdown of every table, by ``FILE/TABLE``, and of each file's first one by ``FILE``.

    Raises:
        ValueError: As :func:`html_report`.
    """
    found = {}
    for name, result in results.items():
        found |= _of_file(_markdown, name, result)
    return found


def _markdown(name: str, result: Mapping) -> dict[str, str]:
    found, where = {}, conditions(result.get('environment', {}))
    for table in tables_of(result):
        caption = f'{table.caption} {where}.' if where else table.caption
        found[f'{name}/{table.name}'] = f'{caption}\n\n{markdown(table)}\n'
    return ({name: next(iter(found.values()))} if found else {}) | found


def fill(text: str, results: Mapping[str, Mapping]) -> str:
    """A page with its generated tables and figures made anew.

    Raises:
        ValueError: If a marker names a table that does not exist, or is not closed; as
            :func:`html_report` and :func:`~.prose.figures.fill_figures`.
    """
    opened, complete = text.count('<!-- results:'), len(MARKER.findall(text))
    if opened != complete:
        raise ValueError(
            f'{opened - complete} of {opened} "<!-- results:NAME -->" have no '
            '"<!-- /results -->" of their own; close each, and put both on lines of their own'
        )
    named = {match[2].partition('/')[0] for match in MARKER.finditer(text)}
    tables = markdown_tables({name: results[name] for name in results if name in named})

    def made(match: re.Match) -> str:
        start, name, end = match.groups()
        record = name.partition('/')[0]
        if record not in results and record in RECORDINGS:
            return f'{start}\n{pending(record).capitalize()}\n\n{end}'
        if name not in tables:
            raise ValueError(f'results:{name} is not there; allowed: {sorted(tables or results)}')
        return f'{start}\n{tables[name]}\n{end}'

    return fill_figures(MARKER.sub(made, text), Records(results))


def readme_differs(readme: str | Path, folder: str | Path) -> bool:
    """Whether the tables or the figures of a page are not those of the results.

    Raises:
        ValueError: As in :func:`fill`.
    """
    text = Path(readme).read_text(encoding='utf-8')
    if '<!-- results:' not in text and '<!-- figure:' not in text:
        return False
    return fill(text, read_results(folder)) != text

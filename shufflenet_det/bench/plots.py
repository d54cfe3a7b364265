"""Charts of results, by matplotlib, for files and for a page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from .forms import OF_SHUFFLENET_V2
from .paper.decomposition import CLASSES
from .paper.guidelines import GUIDELINES
from .paper.verdicts import speeds
from .photos.plots import frontier_figures, photo_figures
from .plot_style import INK, LINES, MARKERS, PALETTE, STYLE, Figures


def series(arch: str) -> str:
    """``snv2`` of ``snv2_1.0x``, ``densenet_121`` of ``densenet_1.0x_121``: all but the width."""
    return re.sub(r'_[\d.]+x?(?=_|$)', '', arch, count=1)


def latency_figures(result: Mapping) -> Figures:
    """Latency against macs (figure 1 c, d of arXiv 1807.11164) and memory access cost.

    One panel for each form that all backbones have.
    """
    forms = [form for form in _by_form(result) if form not in OF_SHUFFLENET_V2]
    figures = {}
    for key, label in (('macs', 'M macs'), ('memory_access_cost', 'M memory access cost')):
        figure = Figure((1.2 + 5.2 * len(forms), 4.2), layout='constrained')
        panels = figure.subplots(1, len(forms), squeeze=False)[0]
        for axes, form in zip(panels, forms, strict=True):
            _draw_families(axes, _by_form(result)[form], key)
            axes.set(xlabel=label, ylabel=f'median latency, ms ({form})')
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc='outside upper center', ncols=4 * len(forms))
        figures[f'latency against {label}'] = figure
    return figures


def _by_form(result: Mapping) -> dict[str, list[Mapping]]:
    forms: dict[str, list[Mapping]] = {}
    for row in result['rows']:
        forms.setdefault(row['form'], []).append(row)
    return forms


def _draw_families(axes: Axes, rows: Sequence[Mapping], key: str) -> None:
    for i, name in enumerate(dict.fromkeys(series(row['arch']) for row in rows)):
        members = (row for row in rows if series(row['arch']) == name)
        points = sorted((row[key] / 1e6, row['timing']['median_ms']) for row in members)
        axes.plot(
            *zip(*points, strict=True), marker=MARKERS[i % len(MARKERS)],
            color=PALETTE[i % len(PALETTE)], label=name,
            linestyle=LINES[i // len(PALETTE) % len(LINES)], markersize=5,
        )  # fmt: skip
    _set_log_scales(axes)


def _set_log_scales(axes: Axes) -> None:
    axes.set(xscale='log', yscale='log')
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter('{x:g}')
        axis.set_minor_locator(NullLocator())


def decomposition_figures(result: Mapping) -> Figures:
    """Shares of the classes of operators as stacked bars (figure 2)."""
    rows = result['rows']
    figure = Figure((6.4, 0.8 + 0.28 * len(rows)), layout='constrained')
    axes = figure.subplots()
    names, left = [row['name'] for row in rows], [0.0] * len(rows)
    for kind, color in zip(CLASSES, PALETTE, strict=False):
        shares = [100 * row['class_ms'][kind] / row['total_ms'] for row in rows]
        axes.barh(names, shares, left=left, color=color, label=kind)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.set(xlim=(0, 100), xlabel='percent of the time')
    axes.invert_yaxis()
    axes.grid(axis='y', visible=False)
    figure.legend(loc='outside upper center', ncols=len(CLASSES))
    return {'runtime decomposition': figure}


def guideline_figures(result: Mapping) -> Figures:
    """Speed relative to the first row of each table."""
    figures = {}
    for table in result['tables']:
        rows, columns = GUIDELINES[table['key']].rows, table['columns']
        found = [speeds(table['key'], column) for column in columns]
        figure = Figure((6.4, 2.6), layout='constrained')
        axes = figure.subplots()
        width = 0.8 / len(rows)
        for i, row in enumerate(rows):
            at = [place + (i - (len(rows) - 1) / 2) * width for place in range(len(columns))]
            relative = [of_width[row.name].median for of_width in found]
            axes.bar(at, relative, width * 0.92, color=PALETTE[i], label=row.name)
        axes.set_xticks(range(len(columns)), [f'c={column["c"]}' for column in columns])
        axes.set_ylabel('relative speed')
        axes.grid(axis='x', visible=False)
        figure.legend(loc='outside upper center', ncols=3)
        figures[f'{table["key"]} on this machine'] = figure
    return figures


def detector_figures(result: Mapping) -> Figures:
    """Time of the parts of each detector as stacked bars."""
    rows = result['rows']
    figure = Figure((6.4, 1.2 + 0.32 * len(rows)), layout='constrained')
    axes = figure.subplots()
    labels, left = [f'{row["config"]}, {row["form"]}' for row in rows], [0.0] * len(rows)
    parts = list(dict.fromkeys(part['name'] for row in rows for part in row['parts']))
    for i, part in enumerate(parts):
        ms = [sum(p['median_ms'] for p in row['parts'] if p['name'] == part) for row in rows]
        axes.barh(labels, ms, left=left, label=part, color=PALETTE[i % len(PALETTE)],
                  hatch='//' if i >= len(PALETTE) else None)  # fmt: skip
        left = [a + b for a, b in zip(left, ms, strict=True)]
    axes.set_xlabel('median ms')
    axes.invert_yaxis()
    axes.grid(axis='y', visible=False)
    figure.legend(loc='outside upper center', ncols=4)
    return {'parts of the detectors': figure}


def choice_figures(result: Mapping) -> Figures:
    """Macs against the time of every network, the frontier, what was measured, the budget."""
    figure = Figure((6.4, 4.2), layout='constrained')
    axes, rows = figure.subplots(), {row['name']: row for row in result['rows']}
    best = [rows[name] for name in result['frontier']]
    whole = [row for row in rows.values() if row['measured_ms'] is not None]
    for color, (label, shown, key, style) in zip(PALETTE, (
        ('predicted', rows.values(), 'predicted_ms', dict(marker='.', linestyle='')),
        ('frontier, predicted', best, 'predicted_ms', dict(marker='o', markersize=4)),
        ('measured', whole, 'measured_ms', dict(marker='x', linestyle='')),
        ('chosen', [rows[result['chosen']]], 'measured_ms',
         dict(marker='*', markersize=12, linestyle='')),
    ), strict=False):  # fmt: skip
        points = [(row[key], row['macs'] / 1e6) for row in shown]
        axes.plot(*zip(*points, strict=True), label=label, color=color, **style)
    _set_log_scales(axes)
    axes.axvline(result['budget_ms'], color=INK, linestyle=':', label='budget')
    axes.set(xlabel=f'ms ({result["form"]}, {result["clock"]} clock)',
             ylabel='M macs, a proxy for accuracy')  # fmt: skip
    figure.legend(loc='outside upper center', ncols=5)
    return {'macs against time': figure}


FIGURES: dict[str, Callable[[Mapping], Figures]] = {
    'latency': latency_figures,
    'detector latency': detector_figures,
    'decomposition': decomposition_figures,
    'guidelines': guideline_figures,
    'photos': photo_figures,
    'photo frontier': frontier_figures,
    'backbone choice': choice_figures,
}
"""Kind of result -> its charts by their captions; a kind without charts has no row."""


def figures_of(result: Mapping) -> Figures:
    """Charts of a result."""
    with matplotlib.rc_context(STYLE):
        return FIGURES.get(result.get('kind'), lambda _: {})(result)


def save(figures: Figures, path: Path) -> list[Path]:
    """Write charts to PATH, PATH-2, ...; the suffix, .png or .svg, chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, figure in enumerate(figures.values(), 1):
        paths.append(path if number == 1 else path.with_stem(f'{path.stem}-{number}'))
        figure.savefig(paths[-1], dpi=150)
    return paths


def inline_svg(figure: Figure, salt: str) -> str:
    """A chart as SVG inside a page, whose text colour it takes.

    Args:
        figure: The chart.
        salt: Different for each chart of a page, for its ids.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({**STYLE, 'svg.hashsalt': salt}):
        figure.patch.set_alpha(0)
        for axes in figure.axes:
            axes.patch.set_alpha(0)
        FigureCanvasSVG(figure).print_svg(buffer, metadata={'Date': None})
    svg = buffer.getvalue()
    return re.sub(INK, 'currentColor', svg[svg.index('<svg') :])

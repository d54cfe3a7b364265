"""Charts of trainings on photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from shufflenet_det.bench.plot_style import LINES, MARKERS, PALETTE, Figures


def photo_figures(result: Mapping) -> Figures:
    """AP on the validation split of each data set while the detectors train, first seed.

    And the loss, where one detector was trained with one setting changed at a time.
    """
    figures = {}
    for data in dict.fromkeys(row['data'] for row in result['rows']):
        rows: dict[str, Mapping] = {}
        for row in result['rows']:
            if row['data'] == data and row.get('curve'):
                rows.setdefault(row['step'] or row['config'], row)
        aps = {name: [(p['epoch'], p['AP']) for p in row['curve']] for name, row in rows.items()}
        figures[f'{data} while training'] = _curves(aps, 'epoch', 'AP, validation')
        if len({row['config'] for row in rows.values()}) < len(rows):
            losses = {
                name: [(p['iteration'], p['loss']) for p in row['losses']]
                for name, row in rows.items()
            }
            figures[f'loss on {data}'] = _curves(losses, 'iteration', 'loss')
    return figures


def frontier_figures(result: Mapping) -> Figures:
    """AP of the test split against macs and milliseconds of the whole detector."""
    figure = Figure((9.6, 4.2), layout='constrained')
    panels = figure.subplots(1, 2, sharey=True)
    rows = [row for row in result['rows'] if 'error' not in row]
    for axes, (key, unit, label) in zip(
        panels, (('macs', 1e6, 'M macs'), ('cpu_ms', 1, 'CPU ms, 1 thread')), strict=True
    ):
        for i, row in enumerate(rows):
            axes.plot(row[key] / unit, row['test']['AP'], MARKERS[i], color=PALETTE[i],
                      label=row['step'])  # fmt: skip
        axes.set(xlabel=label, xlim=(0, None))
    panels[0].set_ylabel('AP, test')
    figure.legend(*panels[0].get_legend_handles_labels(), loc='outside upper center', ncols=3)
    return {'AP of networks from scratch': figure}


def _curves(curves: Mapping[str, Sequence[tuple]], x: str, y: str) -> Figure:
    figure = Figure((6.4, max(3.6, 0.26 * len(curves))), layout='constrained')
    axes = figure.subplots()
    for i, (name, points) in enumerate(curves.items()):
        axes.plot(
            *zip(*points, strict=True), marker=MARKERS[i % len(MARKERS)], markersize=4,
            color=PALETTE[i % len(PALETTE)], label=name,
            linestyle=LINES[i // len(PALETTE) % len(LINES)],
        )  # fmt: skip
    axes.set(xlabel=x, ylabel=y)
    figure.legend(loc='outside right upper')
    return figure

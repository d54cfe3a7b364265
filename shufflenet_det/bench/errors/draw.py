"""Charts and pictures of an analysis, by matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from shufflenet_det.data.pixels import read_image

from .kinds import Error
from .records import Records

COLUMNS = 4
FOUND, TRUTH = '#d62728', '#2ca02c'
MARGIN = 0.75  # what is shown around a box, of its longer side


def confusion_figure(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """A confusion matrix with counts, coloured by the share of its row."""
    names = [*classes, 'background']
    size = max(5.0, 1.6 + 0.5 * len(names))
    figure = Figure((size + 0.8, size), layout='constrained')
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    image = axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label='share of the row', shrink=0.8)
    axes.set_xticks(range(len(names)), names, rotation=60, ha='right')
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel='detected as', ylabel='object')
    if len(names) <= 30:
        for row, column in np.argwhere(matrix > 0):
            axes.text(
                column, row, str(matrix[row, column]), ha='center', va='center', fontsize=8,
                color='white' if shares[row, column] > 0.5 else 'black',
            )  # fmt: skip
    return figure


def average_precision_figure(precision: Mapping[str, Mapping[str, float | None]]) -> Figure:
    """AP and AP50 of each class, best class on top."""
    rows = sorted(precision.items(), key=lambda row: row[1]['AP'] or 0)
    figure = Figure((6.4, 1.2 + 0.32 * len(rows)), layout='constrained')
    axes = figure.subplots()
    places = np.arange(len(rows))
    for offset, key, colour in ((0.2, 'AP50', '#a9c8ee'), (-0.2, 'AP', '#3b7dd8')):
        values = [row[key] or 0 for _, row in rows]
        bars = axes.barh(places + offset, values, 0.38, color=colour, label=key)
        axes.bar_label(
            bars, ['no object' if row[key] is None else f'{row[key]:.3f}' for _, row in rows],
            padding=3, fontsize=7,
        )  # fmt: skip
    axes.set_yticks(places, [name for name, _ in rows])
    axes.set(xlim=(0, 1.12), xlabel='average precision')
    figure.legend(loc='outside upper center', ncols=2, frameon=False)
    return figure


def error_figure(records: Records, errors: Sequence[Error]) -> Figure:
    """Crops around errors of one cause: detections red, objects green and dashed."""
    columns = min(COLUMNS, len(errors))
    rows = math.ceil(len(errors) / columns)
    figure = Figure((3.2 * columns, 3.6 * rows), layout='constrained', dpi=110)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid:
        axes.axis('off')
    for axes, error in zip(grid, errors, strict=False):
        _draw(axes, records, error)
    return figure


def _draw(axes: Axes, records: Records, error: Error) -> None:
    image = read_image(records.paths[error.image_id])[..., ::-1]
    axes.imshow(image)
    for entry in records.truth:
        if entry['image_id'] == error.image_id:
            wide = 2.2 if error.truth is entry else 1.0
            _box(axes, entry['bbox'], TRUTH, linestyle='--', linewidth=wide)
    if error.found is not None:
        _box(axes, error.found['bbox'], FOUND, linewidth=2.2)
    left, top, width, height = (error.found or error.truth)['bbox']
    margin = MARGIN * max(width, height)
    axes.set_xlim(max(left - margin, 0), min(left + width + margin, image.shape[1]))
    axes.set_ylim(min(top + height + margin, image.shape[0]), max(top - margin, 0))
    axes.set_title(caption(records, error), fontsize=9)


def _box(axes: Axes, bbox: Sequence[float], colour: str, linewidth: float, **style) -> None:
    outline = [withStroke(linewidth=linewidth + 1.2, foreground='white')]  # seen on any ground
    axes.add_patch(
        Rectangle(
            bbox[:2], *bbox[2:], fill=False, edgecolor=colour, linewidth=linewidth,
            path_effects=outline, **style,
        )
    )  # fmt: skip


def caption(records: Records, error: Error) -> str:
    """Image, detection and object of an error, in two lines."""
    name = records.paths[error.image_id].name
    if error.found is None:
        return f'{name}\nmissed {records.classes[error.truth["label"]]}'
    line = f'{name}\n{records.classes[error.found["label"]]} {error.found["score"]:.2f}'
    if error.truth is None:
        return f'{line} on background'
    return f'{line}, object {records.classes[error.truth["label"]]}, IoU {error.iou:.2f}'

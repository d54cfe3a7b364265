"""Colours, markers and fonts of charts."""

from __future__ import annotations

from matplotlib.figure import Figure

INK = '#010203'
"""Stands for the colour of text and axes, which a page chooses."""

PALETTE = ('#3b7dd8', '#e0822b', '#3a9d5d', '#c2475a', '#8a63c7', '#8c7355', '#d46fb3', '#7f8790')
MARKERS = 'osD^vPX*'
LINES = ('-', '--', ':')
STYLE = {
    'text.color': INK, 'axes.edgecolor': INK, 'axes.labelcolor': INK, 'xtick.color': INK,
    'ytick.color': INK, 'svg.fonttype': 'none', 'font.size': 9, 'legend.frameon': False,
    'legend.labelcolor': INK, 'axes.grid': True, 'grid.alpha': 0.25, 'axes.axisbelow': True,
    'axes.spines.top': False, 'axes.spines.right': False,
}  # fmt: skip

Figures = dict[str, Figure]
"""Charts by their captions."""

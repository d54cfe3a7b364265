"""Numbers as a sentence says them."""

from __future__ import annotations

from collections.abc import Iterable

from shufflenet_det.bench.intervals import Ratio

FAMILIES = {
    'snv2': 'ShuffleNet V2',
    'snv1': 'ShuffleNet V1',
    'xception': 'Xception',
    'mobilenetv1': 'MobileNet V1',
    'mobilenetv2': 'MobileNet V2',
    'densenet': 'DenseNet',
}
"""First part of a network's name -> its family as sentences call it."""


def family(arch: str) -> str:
    """Of a network of the table."""
    return FAMILIES[arch.partition('_')[0]]


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *first, last = words
    return f'{", ".join(first)} and {last}' if first else last


def times(ratios: Iterable[Ratio | float]) -> str:
    """``1.34x, 0.92x and 1.01x (tie)``."""
    return listed(_times(ratio) for ratio in ratios)


def _times(ratio: Ratio | float) -> str:
    if not isinstance(ratio, Ratio):
        return f'{ratio:.2f}x'
    return f'{ratio.median:.2f}x' + ' (tie)' * ratio.is_tie


def span(values: Iterable[float], spec: str = '.2f', unit: str = 'x') -> str:
    """``0.76x to 0.94x``; one value where both ends read the same."""
    values = list(values)
    low, high = (f'{pick(values):{spec}}{unit}' for pick in (min, max))
    return low if low == high else f'{low} to {high}'


def share(value: float) -> str:
    """An AP or a recall as the pages write it: ``.551``."""
    return f'{value:.3f}'.removeprefix('0')

"""Feature reuse of ShuffleNet V2 (arXiv 1807.11164, section 3 and figure 4 b).

Each unit passes half of its channels on untouched, so of the c channels that unit i puts out,
r^j c with r = (1 - c') / c = 1/2 connect it directly to unit i + j. Here the formula is checked by
following every channel through a backbone's own units.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn

from shufflenet_det.backbones.shufflenet_v2 import ShuffleUnit

REUSE = 0.5
"""r: the share of its input channels that a unit hands on."""


def expected_reuse(channels: int, units: int) -> ndarray:
    """The paper's r^j c: (source, target) -> channels of one that stand untouched in the other.

    Shapes: (units, units), channels on the diagonal and 0 below it.
    """
    source, target = np.indices((units, units))
    return np.where(target >= source, channels * REUSE ** (target - source), 0.0)


def followed_reuse(stage: nn.Sequential) -> ndarray:
    """The same, counted by sending marked channels through the units of a stage.

    The units split, merge and shuffle by their own code; only their convs are replaced, by layers
    that mark every channel they give with the number of the unit.

    Shapes: (units, units).
    """
    counts = np.zeros((len(stage), len(stage)), dtype=int)
    made_by = torch.zeros(1, 1, 1, 1)
    for target, unit in enumerate(stage):
        made_by = _marking(unit, target)(made_by)
        for source in range(target + 1):
            counts[source, target] = int((made_by <= source).sum())
    return counts


class _Mark(nn.Module):
    """Stands for a branch of convs: its channels are all made by one unit."""

    def __init__(self, channels: int, unit: int) -> None:
        super().__init__()
        self.channels, self.unit = channels, unit

    def forward(self, x: Tensor) -> Tensor:
        return x.new_full((1, self.channels, 1, 1), self.unit)


def _marking(unit: ShuffleUnit, number: int) -> ShuffleUnit:
    marking = copy.copy(unit)
    marking._modules = dict(unit._modules, pre=None, se=None, act=None)
    for name in ('branch1', 'branch2'):
        branch = getattr(unit, name)
        if branch is not None:
            setattr(marking, name, _Mark(branch[-2].num_features, number))
    marking.residual = False  # what is added to a channel is made by the unit
    return marking


def draw_reuse(panels: dict[str, ndarray], path: str | Path) -> None:
    """Draw matrices of reuse side by side, as in figure 4 b.

    Args:
        panels: Title -> matrix of :func:`expected_reuse` or :func:`followed_reuse`.
        path: PNG or SVG file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure((4.4 * len(panels) + 0.8, 4.4), layout='constrained')
    axes = figure.subplots(1, len(panels), squeeze=False)
    top = max(matrix.max() for matrix in panels.values())
    for axis, (title, matrix) in zip(axes[0], panels.items(), strict=True):
        numbers = np.arange(1, len(matrix) + 1)
        image = axis.imshow(np.where(matrix > 0, matrix, np.nan).T, cmap='viridis', vmax=top)
        for source, target in zip(*matrix.nonzero(), strict=True):
            value = matrix[source, target]
            color = 'black' if value > 0.6 * top else 'white'
            axis.text(source, target, f'{value:.3g}', ha='center', va='center',
                      color=color, fontsize=7)  # fmt: skip
        axis.set_title(title, pad=10)
        axis.set(xlabel='source unit', ylabel='target unit')
        axis.set_xticks(numbers - 1, numbers)
        axis.set_yticks(numbers - 1, numbers)
    figure.colorbar(image, ax=axes[0].tolist(), label='channels that connect them directly')
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)

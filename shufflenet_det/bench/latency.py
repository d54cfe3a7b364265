"""Speed of backbones in all their forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import torch
import torchvision
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from torch import Tensor, nn

from shufflenet_det.archs import LEVELS
from shufflenet_det.backbones.peers import NETWORKS, get_network

from .complexity import count
from .complexity_ops import Cost
from .forms import OUTSIDE_TORCH, forms_for, prepare
from .timing import REPEAT, Timing, measure

PYRAMID = (0, 1, 2, 3)
"""Levels that a detector reads."""

MIN_SIDE = 32


def pick(patterns: Iterable[str]) -> list[str]:
    """Names of backbones, in the order of the table.

    Args:
        patterns: Names, patterns such as ``snv2_*``, ``all``, or ``table8``.

    Raises:
        ValueError: If a pattern fits nothing.
    """
    picked: set[str] = set()
    for pattern in patterns:
        fitting = {name for name in NETWORKS if _fits(name, pattern)}
        if not fitting:
            raise ValueError(
                f'arch {pattern!r} is not known; allowed: all, table8, a pattern such as '
                f'"snv2_*", or one of {list(NETWORKS)}'
            )
        picked |= fitting
    return [name for name in NETWORKS if name in picked]


def _fits(name: str, pattern: str) -> bool:
    if pattern == 'table8':
        return NETWORKS[name].table8 is not None and NETWORKS[name].other_of is None
    return pattern == 'all' or fnmatchcase(name, pattern)


def build(name: str, classifies: bool = False) -> nn.Module:
    """A backbone in eval mode with fresh weights.

    Args:
        name: A key of :data:`~shufflenet_det.backbones.peers.NETWORKS`.
        classifies: Up to what its classifier reads, instead of the four levels of the pyramid.
    """
    model = _unfilled(name, classifies)
    model.init_weights()
    return model.requires_grad_(False)


def _unfilled(name: str, classifies: bool) -> nn.Module:
    register_all_modules()
    network = get_network(name)
    levels = (network.classifier_level,) if classifies else PYRAMID
    return MODELS.build(network.config(out_indices=levels)).eval()


def cost(name: str, size: tuple[int, int], classifies: bool = False) -> Cost:
    """Cost of one image of (H, W) in a backbone as :func:`build` makes it."""
    with torch.device('meta'):
        model = _unfilled(name, classifies)
        image = torch.zeros(1, 3, *size)
        counted, _ = count(name, model, lambda: model(image))
    return counted.total


class TorchvisionTrunk(nn.Module):
    """torchvision's own ShuffleNet V2 with the weights of ours, read at the same levels."""

    def __init__(self, name: str, ours: nn.Module) -> None:
        super().__init__()
        width = name.removeprefix('snv2_').replace('.', '_')
        self.net = getattr(torchvision.models, f'shufflenet_v2_x{width.rstrip("x")}')()
        self.net.load_state_dict(ours.state_dict(), strict=False)
        self.levels = ours.out_indices

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.net.maxpool(self.net.conv1(x))
        outs = [x] if 0 in self.levels else []
        for level, stage in enumerate(LEVELS[1 : self.levels[-1] + 1], 1):
            x = getattr(self.net, stage)(x)
            if level in self.levels:
                outs.append(x)
        return tuple(outs)


def torchvision_has(name: str) -> bool:
    """Whether torchvision ships this network."""
    return name in ('snv2_0.5x', 'snv2_1.0x', 'snv2_1.5x', 'snv2_2.0x')


@dataclass(frozen=True)
class Conditions:
    """How a run is made.

    Args:
        size: (H, W) of the input; None takes the side that each network's paper macs hold for.
        batch, device, dtype: Of the input.
        classifies: As in :func:`build`.
        turns, seconds: As in :func:`~shufflenet_det.bench.timing.measure`.
    """

    size: tuple[int, int] | None
    batch: int = 1
    device: str = 'cpu'
    dtype: str = 'float32'
    classifies: bool = False
    turns: int = 20
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.size is not None and min(self.size) < MIN_SIDE:
            raise ValueError(
                f'size {self.size[0]}x{self.size[1]} is too small: at least {MIN_SIDE}x{MIN_SIDE}'
            )

    def input_for(self, name: str | None = None) -> Tensor:
        """(batch, 3, H, W) of the network's size, or of 224x224 for one outside of the table."""
        size = self.size or (NETWORKS[name].size if name else 224,) * 2
        x = torch.randn(self.batch, 3, *size)
        return x.to(self.device, getattr(torch, self.dtype))


@dataclass(frozen=True)
class LatencyRow:
    """One backbone in one form.

    Args:
        arch: Name of the backbone; with ``torchvision`` as form it is torchvision's own.
        form: A key of :data:`~shufflenet_det.bench.forms.FORMS`, or ``torchvision``.
        size: (H, W) of the input.
        macs, memory_access_cost: Of one image, in macs and elements, of the network as it trains.
        timing: The measurement.
    """

    arch: str
    form: str
    size: tuple[int, int]
    macs: int
    memory_access_cost: int
    timing: Timing


def run_latency(
    names: Sequence[str],
    forms: Sequence[str],
    conditions: Conditions,
    against_torchvision: bool = False,
) -> tuple[list[LatencyRow], Timing]:
    """Measure backbones in turns, each in each form, and the first row once more.

    Args:
        names: Keys of :data:`~shufflenet_det.backbones.peers.NETWORKS`.
        forms: Keys of :data:`~shufflenet_det.bench.forms.FORMS`; what only ShuffleNet V2 has is
            left out for the others.
        conditions: How.
        against_torchvision: Add torchvision's model with the same weights where it has one.

    Returns:
        The rows, and the second measurement of the first one.

    Raises:
        ValueError: If a network cannot take a form or the size.
    """
    runs, shown = {}, {}
    for name in names:
        x = conditions.input_for(name)
        shown[name] = _shown(name, tuple(x.shape[-2:]), conditions.classifies)
        model = build(name, conditions.classifies).to(x)
        runs.update(_prepared(name, model, x, forms, against_torchvision))
    untraced = tuple(key for key in runs if key[1] in OUTSIDE_TORCH)
    repeated = (*runs.items(), (REPEAT, next(iter(runs.values()))))
    *timings, again = measure(
        dict(repeated), conditions.device, conditions.turns, conditions.seconds,
        images=conditions.batch, untraced=untraced,
    )  # fmt: skip
    rows = [
        LatencyRow(name, form, *shown[name], replace(timing, name=f'{name} {form}'))
        for (name, form), timing in zip(runs, timings, strict=True)
    ]
    return rows, again


def _prepared(
    name: str, model: nn.Module, x: Tensor, forms: Sequence[str], against_torchvision: bool
) -> dict[tuple[str, str], Callable[[], object]]:
    """Callables by network and form."""
    existing = forms_for(name, NETWORKS[name].backbone, forms)
    runs = {(name, form): prepare(name, form, model, x) for form in existing}
    if against_torchvision and torchvision_has(name):
        trunk = TorchvisionTrunk(name, model).eval().to(x)
        runs[name, 'torchvision'] = prepare(name, 'eager', trunk, x)
    return runs


def _shown(name: str, size: tuple[int, int], classifies: bool) -> tuple[tuple[int, int], int, int]:
    total = cost(name, size, classifies)
    return size, total.macs, total.memory_access_cost

"""Where each channel of a ShuffleNet V2 stage stands, with the shuffle at either end of a unit.

torchvision splits a unit's input in halves and shuffles at its end; Megvii's code splits even and
odd channels at the start of the stride-1 units and only concatenates at the end. Each channel is
followed from the unit where it is born to the unit that consumes it. Channels born in the same
branch and consumed by the same unit are interchangeable, which turns one order into the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Channel = tuple[int, int, int]
"""Unit and branch (1 or 2) that a channel is born in, and its index in that branch's output."""

PER_CHANNEL = ('weight', 'bias', 'running_mean', 'running_var')


def _halves(x: list) -> tuple[list, list]:
    return x[: len(x) // 2], x[len(x) // 2 :]


def _even_odd(x: list) -> tuple[list, list]:
    return x[0::2], x[1::2]


def _interleave(first: list, second: list) -> list:
    return [channel for pair in zip(first, second, strict=True) for channel in pair]


def _concat(first: list, second: list) -> list:
    return first + second


def even_first(channels: int, units: int) -> list[int]:
    """Order in which a stage with the shuffle at the end takes what unequal branches concatenate.

    Of each branch, what the following units split off is then what Megvii's even-odd split gives
    them; equal branches are interleaved instead, which differs by interchangeable channels only.
    """
    passed, order = list(range(channels)), []
    for _ in range(units - 1):
        passed, order = passed[0::2], passed[1::2] + order
    return passed + order


PLACEMENTS = {'end': (_halves, _interleave), 'start': (_even_odd, _concat)}
"""Place of the shuffle: (split of a stride-1 unit's input, merge of a unit's two halves)."""


@dataclass(frozen=True)
class Trace:
    """Channels in one placement: those each unit's branch 2 reads, and the stage's outputs."""

    inputs: tuple[list[Channel], ...]
    outputs: list[Channel]


def trace(channels: int, units: int, placement: str, first: int | None = None) -> Trace:
    """Follow the channels of a stage; ``first`` (or half) are born in its first branch 1."""
    split, merge = PLACEMENTS[placement]
    half = range(channels // 2)
    first = channels // 2 if first is None else first
    state = [(0, 1, i) for i in range(first)] + [(0, 2, i) for i in range(channels - first)]
    if placement == 'end':
        equal = 2 * first == channels
        state = merge(*_halves(state)) if equal else [state[i] for i in even_first(channels, units)]
    inputs: list[list[Channel]] = [[]]
    for unit in range(1, units):
        passed, worked = split(state)
        inputs.append(worked)
        state = merge(passed, [(unit, 2, i) for i in half])
    return Trace(tuple(inputs), state)


def _by_fate(stage: Trace) -> dict[tuple[int, int, int], list[Channel]]:
    """Channels grouped by unit and branch of birth and by the unit that consumes them."""
    groups = defaultdict(list)
    for consumer, channels in enumerate((*stage.inputs, stage.outputs)):
        for unit, branch, index in sorted(channels):
            groups[unit, branch, consumer].append((unit, branch, index))
    return groups


@dataclass(frozen=True)
class StageOrder:
    """Gather indices that bring a stage from one placement to another (new[i] = old[index[i]]).

    Args:
        births: Per (unit, branch), of the rows of the branch's last conv and BN.
        inputs: Per unit, of the columns of branch 2's first conv (unit 0 reads the whole input).
        outputs: Of the stage's output channels.
    """

    births: dict[tuple[int, int], Tensor]
    inputs: tuple[Tensor, ...]
    outputs: Tensor


def stage_order(
    channels: int, units: int, source: str, target: str, first: int | None = None
) -> StageOrder:
    """Permutations of one stage from placement ``source`` to placement ``target``.

    Args:
        first: Channels that branch 1 of the first unit gives; half of them where it is None.

    Raises:
        ValueError: If ``channels`` is no multiple of 4 or no permutation exists.
    """
    if channels % 4:
        raise ValueError(f'a stage of {channels} channels cannot be split; give a multiple of 4')
    first = channels // 2 if first is None else first
    old, new = (trace(channels, units, placement, first) for placement in (source, target))
    old_groups, new_groups = _by_fate(old), _by_fate(new)
    if any(len(old_groups[fate]) != len(new_groups[fate]) for fate in old_groups | new_groups):
        raise ValueError(
            f'{channels} channels in {units} units: the two placements consume different numbers '
            'of channels, no permutation makes them equal'
        )
    twin = {
        channel: other
        for fate, group in new_groups.items()
        for channel, other in zip(group, old_groups[fate], strict=True)
    }
    widths = {(0, 1): first, (0, 2): channels - first}
    widths |= {(unit, 2): channels // 2 for unit in range(1, units)}
    births = {
        (unit, branch): torch.tensor([twin[unit, branch, i][2] for i in range(width)])
        for (unit, branch), width in widths.items()
    }
    inputs = tuple(_gather(a, b, twin) for a, b in zip(old.inputs, new.inputs, strict=True))
    return StageOrder(births, inputs, _gather(old.outputs, new.outputs, twin))


def _gather(old: Sequence[Channel], new: Sequence[Channel], twin: Mapping) -> Tensor:
    place = {channel: i for i, channel in enumerate(old)}
    return torch.tensor([place[twin[channel]] for channel in new], dtype=torch.long)


def reshuffle(
    state_dict: Mapping[str, Tensor], units: Mapping[int, int], source: str, target: str
) -> dict[str, Tensor]:
    """Move the shuffle of a whole backbone by permuting its weights.

    Args:
        state_dict: Tensors under torchvision's names, channels in the order of ``source``.
        units: Number of units of each stage, by stage number.

    Raises:
        ValueError: If a tensor is missing.
    """
    state: dict[str, Any] = dict(state_dict)
    stage_input: Tensor | None = None
    for stage in sorted(units):
        widths = branch_widths(state, stage)
        order = stage_order(sum(widths), units[stage], source, target, widths[0])
        unit = f'stage{stage}.0'
        if stage_input is not None:
            for module in (f'{unit}.branch1.0', f'{unit}.branch1.1'):
                _take_rows(state, module, stage_input)
            for module in (f'{unit}.branch1.2', f'{unit}.branch2.0'):
                _take_columns(state, module, stage_input)
        for (unit, branch), index in order.births.items():
            last = {1: (2, 3), 2: (5, 6)}[branch]
            for layer in last:
                _take_rows(state, f'stage{stage}.{unit}.branch{branch}.{layer}', index)
        for unit in range(1, units[stage]):
            _take_columns(state, f'stage{stage}.{unit}.branch2.0', order.inputs[unit])
        stage_input = order.outputs
    if 'conv5.0.weight' in state and stage_input is not None:
        _take_columns(state, 'conv5.0', stage_input)
    return state


def branch_widths(state: Mapping[str, Tensor], stage: int) -> tuple[int, int]:
    """Channels that the two branches of a stage's first unit give, under torchvision's names.

    Raises:
        ValueError: If a tensor is missing.
    """
    names = [f'stage{stage}.0.branch1.2.weight', f'stage{stage}.0.branch2.5.weight']
    missing = [name for name in names if name not in state]
    if missing:
        raise ValueError(f'cannot follow the channels of stage{stage}: {missing} not in the file')
    first, second = (state[name].shape[0] for name in names)
    return first, second


def _take_rows(state: dict[str, Tensor], module: str, index: Tensor) -> None:
    for leaf in PER_CHANNEL:
        if f'{module}.{leaf}' in state:
            state[f'{module}.{leaf}'] = state[f'{module}.{leaf}'][index]


def _take_columns(state: dict[str, Tensor], module: str, index: Tensor) -> None:
    state[f'{module}.weight'] = state[f'{module}.weight'][:, index]

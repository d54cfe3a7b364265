"""Optimizers and schedules of a checkpoint, against those of its resumed training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor, nn

from .distributed import plain_model

MOVES = {'last_step', '_global_step', '_last_value', 'base_values', 'verbose', 'best',
         'cooldown_counter', 'num_bad_epochs'}  # fmt: skip
"""Of the state of a schedule, what changes as it goes on, and what comes of the optimizer."""

MOMENTS = {'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq', 'momentum_buffer', 'square_avg'}
"""Of the state of an optimizer, what is shaped as its weight."""


def _optimizers(runner: Runner, checkpoint: Mapping) -> list[tuple[OptimWrapper, Mapping]]:
    """Each optimizer wrapper with its state in the file."""
    runner.optim_wrapper = wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    state = checkpoint.get('optimizer') or {}
    if not isinstance(wrapper, OptimWrapperDict):
        return [(wrapper, state)] if 'param_groups' in state else []
    return [(each, state[name]) for name, each in wrapper.items() if name in state]


def _groups(wrapper: OptimWrapper, state: Mapping) -> Iterator[tuple[Mapping, Mapping]]:
    """Each group of parameters in the file and now."""
    return zip(state['param_groups'], wrapper.optimizer.param_groups, strict=True)


def _weights(wrapper: OptimWrapper, state: Mapping) -> Iterator[tuple[int, nn.Parameter]]:
    """Each parameter behind its number in the file."""
    for before, now in _groups(wrapper, state):
        yield from zip(before['params'], now['params'], strict=True)


def _initial(group: Mapping) -> dict[str, object]:
    """What a parameter group was set to, before schedules changed it."""
    skipped = ('params', 'param_names')
    return {
        key: group.get(f'initial_{key}', value)
        for key, value in group.items()
        if not key.startswith('initial_') and key not in skipped
    }


def optimizer(runner: Runner, checkpoint: Mapping) -> list[str]:
    """Another kind of optimizer, or other groups of parameters, in words."""
    found = []
    for wrapper, state in _optimizers(runner, checkpoint):
        groups, before = wrapper.optimizer.param_groups, state['param_groups']
        counts = [[len(g['params']) for g in each] for each in (before, groups)]
        gone, come = set(_initial(before[0])) - set(groups[0]), set(groups[0]) - set(before[0])
        come = {key for key in come if not key.startswith('initial_')}
        if gone and come:
            found.append(
                f'{type(wrapper.optimizer).__name__} has {", ".join(sorted(come))}, that of the '
                f'file {", ".join(sorted(gone))}'
            )
        elif counts[0] != counts[1]:
            found.append(
                f'{sum(counts[0])} parameters in {len(before)} groups, now {sum(counts[1])} in '
                f'{len(groups)}'
            )
    return found


def frozen(runner: Runner, checkpoint: Mapping) -> list[str]:
    """Parameters that were trained and are frozen now."""
    names = {id(p): name for name, p in plain_model(runner.model).named_parameters()}
    found = []
    for wrapper, state in _optimizers(runner, checkpoint):
        trained = state.get('state', {})
        found += [
            names[id(weight)]
            for index, weight in _weights(wrapper, state)
            if index in trained and not weight.requires_grad
        ]
    return [f'{found[0]} and {len(found) - 1} others were trained'] if found else []


def hyperparameters(runner: Runner, checkpoint: Mapping) -> list[str]:
    """Rates and other settings of the groups of parameters that differ."""
    found = {}
    for wrapper, state in _optimizers(runner, checkpoint):
        for before, now in _groups(wrapper, state):
            then, asked = _initial(before), _initial(now)
            for key in then.keys() & asked.keys():
                if not _equal(then[key], asked[key]):
                    found[f'{key} {then[key]}, now {asked[key]}'] = None
    return sorted(found)


def _equal(a: object, b: object) -> bool:
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return list(a) == list(b)
    return a == b


def _schedules(runner: Runner, checkpoint: Mapping) -> list[tuple[Mapping, Mapping]] | str:
    """Each schedule's state in the file and now; in words if there are not as many."""
    given = checkpoint.get('param_schedulers') or []
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    now = runner.param_schedulers or []
    parts = (
        [list(given.values()), list(now.values())] if isinstance(now, dict) else [[given], [now]]
    )
    counts = [[len(each) for each in part] for part in parts]
    if counts[0] != counts[1]:
        return f'{sum(counts[0])}, now {sum(counts[1])}'
    before, after = ([one for each in part for one in each] for part in parts)
    return [(a, b.state_dict()) for a, b in zip(before, after, strict=True)]


def schedule_counts(runner: Runner, checkpoint: Mapping) -> list[str]:
    """Other numbers of schedules."""
    pairs = _schedules(runner, checkpoint)
    return [pairs] if isinstance(pairs, str) else []


def schedule_kinds(runner: Runner, checkpoint: Mapping) -> list[str]:
    """Kinds of schedules are told apart by their settings, and by what they change."""
    found = []
    for before, now in _schedules(runner, checkpoint):
        keys = before.keys() - MOVES, now.keys() - MOVES
        gone, come = (', '.join(sorted(each)) for each in (keys[0] - keys[1], keys[1] - keys[0]))
        if gone and come:
            found.append(f'one has {come}, that of the file {gone}')
        elif before.get('param_name') != now.get('param_name'):
            found.append(f'one of {now["param_name"]}, that of the file {before["param_name"]}')
    return found


def numbers(runner: Runner, checkpoint: Mapping) -> list[str]:
    """Settings that are numbers now, and none in the file."""
    pairs = [
        (before, now, now.keys() - {'params'})
        for wrapper, state in _optimizers(runner, checkpoint)
        for before, now in _groups(wrapper, state)
    ]
    pairs += [(a, b, a.keys() & b.keys()) for a, b in _schedules(runner, checkpoint)]
    found = [
        f'{key} {before.get(key)!r:.40}'
        for before, now, keys in pairs
        for key in keys
        if _is_number(now[key]) and not _is_number(before.get(key))
    ]
    return sorted(found)


def _is_number(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_is_number, value))
    if isinstance(value, Tensor):
        return value.numel() == 1 and bool(value.isfinite())
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (isinstance(value, float) and math.isfinite(value))


def moments(runner: Runner, checkpoint: Mapping) -> list[str]:
    """Sums of gradients of other shapes than their weights."""
    names = {id(p): name for name, p in plain_model(runner.model).named_parameters()}
    found = []
    for wrapper, state in _optimizers(runner, checkpoint):
        for index, weight in _weights(wrapper, state):
            for key, moment in state.get('state', {}).get(index, {}).items():
                if key in MOMENTS and getattr(moment, 'shape', None) != weight.shape:
                    found.append(f'{key} of {names[id(weight)]}')
    return found


def schedule_settings(runner: Runner, checkpoint: Mapping) -> list[str]:
    """Settings of the schedules that differ."""
    found = {}
    for before, now in _schedules(runner, checkpoint):
        for key in before.keys() & now.keys() - MOVES:
            if not _equal(before[key], now[key]):
                found[f'{key} {before[key]}, now {now[key]}'] = None
    return sorted(found)

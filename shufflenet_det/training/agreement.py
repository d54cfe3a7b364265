"""What a checkpoint was trained with, against what its resumed training is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mmengine.hooks import EMAHook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn

from .resume import Resumable

STATE = 'training_state'
"""Key of the ``Resumable.state()`` of every rank, in checkpoints of such loops."""

EMA, DATA = 'averaged weights (EMA)', 'the data'
SHOWN = 3
MOVES = {'last_step', '_global_step', '_last_value', 'base_values', 'verbose', 'best',
         'cooldown_counter', 'num_bad_epochs'}  # fmt: skip
"""Of the state of a schedule, what changes as it goes on, and what comes of the optimizer."""

REMEDY = 'start from its weights with load_from instead of resume'
STAYS = f'those of the checkpoint go on; for the new ones {REMEDY}'


@dataclass(frozen=True)
class Setting:
    """Something that a checkpoint and a runner both know.

    Args:
        compare: Gives in words what differs, if anything does.
        outcome: What becomes of it where the training goes on; None where it cannot.
    """

    name: str
    compare: Callable[[Runner, Mapping], list[str]]
    outcome: str | None = None


def _model(runner: Runner) -> nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _weights(runner: Runner, checkpoint: Mapping) -> list[str]:
    model, given = _model(runner), checkpoint['state_dict']
    wanted = model.state_dict()
    needed = dict(model.named_parameters()).keys()
    found = [f'{k} is not in the file' for k in needed - given.keys()]
    found += [f'{k} is not in the model' for k in given.keys() - wanted.keys()]
    found += [
        f'{k} {tuple(given[k].shape)}, now {tuple(v.shape)}'
        for k, v in wanted.items()
        if k in given and getattr(given[k], 'shape', 0) != getattr(v, 'shape', 0)
    ]
    return sorted(found)


def _classes(runner: Runner, checkpoint: Mapping) -> list[str]:
    before = (checkpoint['meta'].get('dataset_meta') or {}).get('classes')
    now = (getattr(runner.train_dataloader.dataset, 'metainfo', None) or {}).get('classes')
    if before is None or now is None or list(before) == list(now):
        return []
    return [f'{list(before)[:80]}, now {list(now)[:80]}']


def _optimizers(runner: Runner, checkpoint: Mapping) -> list[tuple[OptimWrapper, Mapping]]:
    """Each optimizer wrapper with its state in the file."""
    runner.optim_wrapper = wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    state = checkpoint.get('optimizer') or {}
    if not isinstance(wrapper, OptimWrapperDict):
        return [(wrapper, state)] if 'param_groups' in state else []
    return [(each, state[name]) for name, each in wrapper.items() if name in state]


def _initial(group: Mapping) -> dict[str, object]:
    """What a parameter group was set to, before schedules changed it."""
    skipped = ('params', 'param_names')
    return {
        key: group.get(f'initial_{key}', value)
        for key, value in group.items()
        if not key.startswith('initial_') and key not in skipped
    }


def _optimizer(runner: Runner, checkpoint: Mapping) -> list[str]:
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


def _frozen(runner: Runner, checkpoint: Mapping) -> list[str]:
    names = {id(p): name for name, p in _model(runner).named_parameters()}
    found = []
    for wrapper, state in _optimizers(runner, checkpoint):
        groups = zip(state['param_groups'], wrapper.optimizer.param_groups, strict=True)
        pairs = [pair for a, b in groups for pair in zip(a['params'], b['params'], strict=True)]
        trained = state.get('state', {})
        found += [names[id(p)] for i, p in pairs if i in trained and not p.requires_grad]
    return [f'{found[0]} and {len(found) - 1} others were trained'] if found else []


def _hyperparameters(runner: Runner, checkpoint: Mapping) -> list[str]:
    found = {}
    for wrapper, state in _optimizers(runner, checkpoint):
        for before, now in zip(state['param_groups'], wrapper.optimizer.param_groups, strict=True):
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


def _schedule_counts(runner: Runner, checkpoint: Mapping) -> list[str]:
    pairs = _schedules(runner, checkpoint)
    return [pairs] if isinstance(pairs, str) else []


def _schedule_settings(runner: Runner, checkpoint: Mapping) -> list[str]:
    found = {}
    for before, now in _schedules(runner, checkpoint):
        for key in before.keys() & now.keys() - MOVES:
            if not _equal(before[key], now[key]):
                found[f'{key} {before[key]}, now {now[key]}'] = None
    return sorted(found)


def _averages(runner: Runner, checkpoint: Mapping) -> list[str]:
    before = 'ema_state_dict' in checkpoint
    now = any(isinstance(hook, EMAHook) for hook in runner._hooks)
    return [] if before == now else [f'{"on" if before else "off"}, now {"on" if now else "off"}']


def _division(runner: Runner, checkpoint: Mapping) -> list[str]:
    """Ranks, images, and images of a batch."""
    states, loop = checkpoint.get(STATE), runner._train_loop
    if not states or not isinstance(loop, Resumable):
        return []
    now = dict(loop.division(), ranks=runner.world_size)
    before = dict(states[0], ranks=len(states))
    return [
        f'{key} {before[key]}, now {value}'
        for key, value in now.items()
        if key in before and before[key] != value
    ]


SETTINGS = (
    Setting('the classes', _classes),
    Setting('the model', _weights),
    Setting('the optimizer', _optimizer),
    Setting('the number of schedules', _schedule_counts),
    Setting('settings of the optimizer', _hyperparameters, STAYS),
    Setting('settings of the schedules', _schedule_settings, STAYS),
    Setting('frozen parameters', _frozen, f'frozen from here on; for a new optimizer {REMEDY}'),
    Setting(EMA, _averages, 'from here on as now'),
    Setting(DATA, _division, 'its batches are others, so it goes on but not bit-identical'),
)
"""In this order; a setting without an outcome ends the run."""


def differences(runner: Runner, checkpoint: Mapping, source: str) -> set[str]:
    """Compare a checkpoint with a runner that is about to go on from it, and say what differs.

    Returns:
        The names of the settings that differ.

    Raises:
        ValueError: If a training cannot go on so.
    """
    differing = set()
    for setting in SETTINGS:
        found = setting.compare(runner, checkpoint)
        if not found:
            continue
        shown = '; '.join(found[:SHOWN]) + (f' ({len(found)} in all)' if found[SHOWN:] else '')
        if setting.outcome is None:
            raise ValueError(f'{source}: {setting.name} differ: {shown}; to change them, {REMEDY}')
        runner.logger.warning(f'{source}: {setting.name} differ: {shown}: {setting.outcome}')
        differing.add(setting.name)
    return differing

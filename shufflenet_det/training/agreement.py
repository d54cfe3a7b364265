"""What a checkpoint was trained with, against what its resumed training is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mmengine.hooks import EMAHook
from mmengine.runner import Runner

from . import compared
from .distributed import plain_model
from .resume import Resumable

STATE = 'training_state'
"""Key of the ``Resumable.state()`` of every rank, in checkpoints of such loops."""

EMA, DATA = 'averaged weights (EMA)', 'the data'
SHOWN = 3

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


def _weights(runner: Runner, checkpoint: Mapping) -> list[str]:
    model, given = plain_model(runner.model), checkpoint['state_dict']
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
    Setting('the optimizer', compared.optimizer),
    Setting('the number of schedules', compared.schedule_counts),
    Setting('the kinds of the schedules', compared.schedule_kinds),
    Setting('numbers of the optimizer or of a schedule', compared.numbers),
    Setting('shapes in the optimizer', compared.moments),
    Setting('settings of the optimizer', compared.hyperparameters, STAYS),
    Setting('settings of the schedules', compared.schedule_settings, STAYS),
    Setting(
        'frozen parameters', compared.frozen, f'frozen from here on; for a new optimizer {REMEDY}'
    ),
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

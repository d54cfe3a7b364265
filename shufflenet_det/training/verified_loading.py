"""Verified loading for one Runner: nothing in a file is executed, no other Runner is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import NoneType

from mmengine.config import Config
from mmengine.runner import Runner

from shufflenet_det.checkpoints.models import load_model, read_mmengine

from .agreement import DATA, EMA, STATE, differences
from .distributed import on_every_rank
from .resume import Resumable, ResumableTrainLoop

STATE_KEYS = {'rng': Mapping, 'sampler_seed': (int, NoneType), 'batches': int}

REVISED = ((r'^module\.', ''),)
"""What mmengine takes off the names of weights."""

NEEDED = {
    'meta': {'epoch': int, 'iter': int},
    'message_hub': {'log_scalars': Mapping, 'runtime_info': Mapping, 'resumed_keys': Mapping},
    'optimizer': {},
    'state_dict': {},
}
"""Part of a checkpoint -> what it holds, and of which types, where a training can be resumed."""


def build_runner(cfg: Config) -> Runner:
    """MMEngine's Runner, which executes nothing that stands in a checkpoint."""
    runner = Runner.from_cfg(cfg)
    verify_loading(runner)
    return runner


def verify_loading(runner: Runner) -> None:
    """Let this runner load and resume by ``read_checkpoint``.

    A runner of a class with a ``load_checkpoint`` of its own keeps it, and the log says so.
    """
    if type(runner).load_checkpoint is not Runner.load_checkpoint:
        name = type(runner).__name__
        runner.logger.warning(f'{name} loads checkpoints by itself: they are not verified')
        return
    runner.load_checkpoint = partial(_load, runner)
    runner.resume = partial(_resume, runner)


def _load(runner: Runner, filename: str, *args: object, **kwargs: object) -> dict:
    """As ``Runner.load_checkpoint``; tensors stay on the CPU, from where models take them.

    Raises:
        ValueError, OSError: As ``read_mmengine`` and ``load_model``.
    """
    return _take(runner, read_mmengine(str(filename)), filename, *args, **kwargs)


def _take(
    runner: Runner,
    checkpoint: dict,
    filename: str,
    map_location: object = 'cpu',
    strict: bool = False,
    revise_keys: Sequence[tuple[str, str]] = REVISED,
) -> dict:
    if 'state_dict' not in checkpoint:  # which mmengine's EMAHook asks for
        checkpoint = dict(state_dict=checkpoint)
    runner.call_hook('after_load_checkpoint', checkpoint=checkpoint)
    load_model(runner.model, checkpoint, str(filename), strict, revise_keys)
    runner._has_loaded = True
    return checkpoint


def _resume(
    runner: Runner,
    filename: str,
    resume_optimizer: bool = True,
    resume_param_scheduler: bool = True,
    map_location: object = 'default',
) -> None:
    """As ``Runner.resume``, from a file that is known to hold what is needed and to fit.

    Raises:
        ValueError, OSError: On every rank, if any cannot go on from the file.
    """
    needed = [part for part in NEEDED if part != 'optimizer' or resume_optimizer]
    content = on_every_rank(lambda: _read_whole(filename, needed))
    differing = set()
    load, runner.load_checkpoint = runner.load_checkpoint, partial(_take, runner, content)
    try:
        if resume_optimizer and resume_param_scheduler:
            differing = on_every_rank(lambda: differences(runner, content, filename))
        if 'ema_state_dict' in content and EMA in differing:
            _drop_averages(content)
        type(runner).resume(
            runner, filename, resume_optimizer, resume_param_scheduler, map_location
        )
        _find_place(runner, content, DATA not in differing)
    except MISREAD as error:
        if str(filename) in str(error):
            raise
        cause = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise ValueError(f'{filename}: {_NO_TRAINING.format(cause=cause)}') from error
    finally:
        runner.load_checkpoint = load


MISREAD = AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError
"""What reading a part of another make than ours ends with."""

_NO_TRAINING = (
    'a training cannot be resumed from it, {cause}: it holds weights only, or another version '
    'wrote it. Start from its weights with load_from instead of resume'
)


def _read_whole(filename: str, needed: Sequence[str]) -> dict:
    content = read_mmengine(filename)
    lacks = lacking(content, needed)
    if lacks:
        cause = f'it lacks {", ".join(lacks)}'
        raise ValueError(f'{filename}: {_NO_TRAINING.format(cause=cause)}')
    return content


def _drop_averages(content: dict) -> None:
    """Leave the weights that were trained; mmengine's EMAHook saves the averages in their place."""
    for key, weight in content.pop('ema_state_dict').items():
        if key.startswith('module.'):
            content['state_dict'][key.removeprefix('module.')] = weight


def _find_place(runner: Runner, content: Mapping, same_data: bool) -> None:
    """Where the training goes on, and what is said about it."""
    loop, states = runner.train_loop, content.get(STATE)
    if isinstance(loop, Resumable):
        if states:
            loop.load_state(states[runner.rank if same_data else 0], same_data)
        else:
            runner.logger.warning(
                'random states: the checkpoint has none; the run goes on, but not bit-identical'
            )
        if isinstance(loop, ResumableTrainLoop) and not (same_data and loop.is_inside()):
            loop.begin_epoch()
            runner.logger.warning(f'epoch {loop.epoch + 1} begins at its start')
    if loop.iter >= loop.max_iters:
        runner.logger.warning(
            f'{loop.iter} of {loop.max_iters} iterations are done: nothing is left to train; '
            'for more, raise train_cfg.max_epochs or max_iters'
        )


def lacking(checkpoint: Mapping, needed: Sequence[str] = tuple(NEEDED)) -> list[str]:
    """What a checkpoint lacks, or has of another type, of what a resumed training needs."""
    parts = [(part, NEEDED[part], checkpoint.get(part)) for part in needed]
    states = checkpoint.get(STATE) or ()
    entries = states if isinstance(states, (list, tuple)) else (None,)
    parts += [(STATE, STATE_KEYS, each) for each in entries]
    found = []
    for part, kinds, content in parts:
        if isinstance(content, Mapping):
            found += [
                f'{part}.{key}'
                for key, kind in sorted(kinds.items())
                if key not in content or not isinstance(content[key], kind)
            ]
        else:
            found.append(part)
    return list(dict.fromkeys(found))

"""Verified loading for one Runner: nothing in a file is executed, no other Runner is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from mmengine.config import Config
from mmengine.runner import Runner

from shufflenet_det.checkpoints.models import load_model, read_mmengine

STATE = 'training_state'
"""Key of the ``Resumable.state()`` of every rank, in checkpoints of such loops."""

STATE_KEYS = {'rng', 'sampler_seed', 'batches'}

NEEDED = {
    'meta': {'epoch', 'iter'},
    'message_hub': {'log_scalars', 'runtime_info', 'resumed_keys'},
    'optimizer': set(),
}
"""Part of a checkpoint -> what it holds where a training can be resumed from it."""


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
    runner.load_checkpoint = partial(_load, runner, None)
    runner.resume = partial(_resume, runner)


def _load(
    runner: Runner,
    needed: Sequence[str] | None,
    filename: str,
    map_location: object = 'cpu',
    strict: bool = False,
    revise_keys: Sequence[tuple[str, str]] = ((r'^module\.', ''),),
) -> dict:
    """As ``Runner.load_checkpoint``; tensors stay on the CPU, from where models take them.

    Raises:
        ValueError, OSError: As ``read_mmengine`` and ``load_model``; if the file lacks a part.
    """
    checkpoint = read_mmengine(str(filename))
    lacks = lacking(checkpoint, needed) if needed else ()
    if lacks:
        raise ValueError(
            f'{filename}: a training cannot be resumed from it, it lacks {", ".join(lacks)}: it '
            'holds weights only, or another version wrote it. Start from its weights with '
            'load_from instead of resume'
        )
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
    """As ``Runner.resume``, from a file that is known to hold what is needed."""
    needed = [part for part in NEEDED if part != 'optimizer' or resume_optimizer]
    load, runner.load_checkpoint = runner.load_checkpoint, partial(_load, runner, needed)
    try:
        type(runner).resume(
            runner, filename, resume_optimizer, resume_param_scheduler, map_location
        )
    finally:
        runner.load_checkpoint = load


def lacking(checkpoint: Mapping, needed: Sequence[str] = tuple(NEEDED)) -> list[str]:
    """What a checkpoint lacks of the parts that a resumed training needs."""
    parts = [(part, NEEDED[part], checkpoint.get(part)) for part in needed]
    parts += [(STATE, STATE_KEYS, each) for each in checkpoint.get(STATE) or ()]
    found = []
    for part, keys, content in parts:
        if isinstance(content, Mapping):
            found += [f'{part}.{key}' for key in sorted(keys - content.keys())]
        else:
            found.append(part)
    return list(dict.fromkeys(found))

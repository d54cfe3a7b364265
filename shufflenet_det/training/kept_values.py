"""Values beside weights on which a training depends, and what of it no checkpoint can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

from .distributed import plain_model

NAMES = ('_input_size', 'wait_count', 'best_score')
"""Of batches resized at random (BatchSyncRandomResize), and of `EarlyStoppingHook`."""

CACHE = 'results_cache'
"""Attribute of transforms that mix an image with those before it in the same data worker."""


def _parts(runner: Runner) -> Iterator[tuple[str, object]]:
    """Objects that may have such values, under names that another run gives them too."""
    model = plain_model(runner.model)
    yield from model.named_modules()
    for number, hook in enumerate(h for h in runner._hooks if isinstance(h, EarlyStoppingHook)):
        yield f'early_stopping_{number}', hook


def kept_values(runner: Runner) -> dict[str, object]:
    """Name -> value, for a checkpoint."""
    return {
        f'{part}.{name}': vars(owner)[name]
        for part, owner in _parts(runner)
        for name in NAMES
        if name in vars(owner)
    }


def set_kept_values(runner: Runner, values: Mapping[str, object]) -> None:
    """Give the parts of a runner what :func:`kept_values` returned."""
    for part, owner in _parts(runner):
        for name in NAMES:
            if f'{part}.{name}' in values and name in vars(owner):
                setattr(owner, name, values[f'{part}.{name}'])


def caching_transforms(pipelines: Sequence[Sequence]) -> list[str]:
    """Types of transforms whose results depend on what their data worker loaded before."""
    steps = [step for pipeline in pipelines for step in pipeline]
    return sorted({type(step).__name__ for step in steps if hasattr(step, CACHE)})

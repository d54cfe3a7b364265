"""Data sets, their loaders and pipelines as a built runner has them, through all wrappers."""

from __future__ import annotations

from collections.abc import Iterator

from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.runner import _SlicedDataset
from torch.utils.data import DataLoader

NO_BATCH = 600
"""Seconds after which data workers that give no batch, for a hung disk, are an error."""


def plain_dataset(dataset: object) -> object:
    """The data set that a loader with ``num_batch_per_epoch`` takes a part of."""
    return dataset._dataset if isinstance(dataset, _SlicedDataset) else dataset


def datasets_in(dataset: object) -> Iterator[object]:
    """A data set with all that it wraps."""
    pending = [plain_dataset(dataset)]
    while pending:
        current = pending.pop()
        pending += [current.dataset] if hasattr(current, 'dataset') else []
        pending += list(getattr(current, 'datasets', []))
        yield current


def pipelines_of(dataset: object) -> Iterator[list]:
    """Transforms of a data set and of those it wraps."""
    for each in datasets_in(dataset):
        steps = getattr(each, 'pipeline', None)
        if steps is not None:
            yield steps if isinstance(steps, (list, tuple)) else getattr(steps, 'transforms', [])


def image_loaders(dataset: object) -> list[tuple[list, int]]:
    """Where the pipelines of a data set load images."""
    return [
        (steps, i)
        for steps in pipelines_of(dataset)
        for i, step in enumerate(steps)
        if isinstance(step, LoadImageFromFile)
    ]


def limit_waiting(loop: BaseLoop) -> None:
    """Let a loop wait no longer than NO_BATCH for its data workers."""
    loader = loop.dataloader
    if isinstance(loader, DataLoader) and loader.num_workers:
        loader.timeout = loader.timeout or NO_BATCH


def settings_of(runner: Runner) -> Config:
    """Model and data of a runner as far as they are configs; it may be built from arguments."""
    parts = dict(
        model=runner.cfg.get('model'),
        train_dataloader=runner._train_dataloader,
        val_dataloader=runner._val_dataloader,
    )
    return Config({key: part for key, part in parts.items() if isinstance(part, dict)})

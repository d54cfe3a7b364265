"""Batches whose random numbers depend on their place in the training only."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.dist import get_rank
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Dataset, Sampler

from shufflenet_det.integration.registration import register

from .rng import seeded


class SeededBatch(list):
    """Indices of one batch and the key of its random numbers."""

    def __init__(self, indices: list[int], key: tuple[int, ...]) -> None:
        super().__init__(indices)
        self.key = key


class SeededFetch:
    """Loads a :class:`SeededBatch`: what is drawn depends on its key, not on the worker's past."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __call__(self, batch: SeededBatch) -> list:
        with seeded(batch.key):
            return [self.dataset[index] for index in batch]


@register('DATA_SAMPLERS')
class ResumableBatchSampler(Sampler):
    """Yields the batches of another batch sampler as :class:`SeededBatch`, from a given one on.

    Args:
        sampler: Yields indices.
        batch_size: Images per batch.
        inner: Config of the batch sampler; None takes torch's.
        drop_last: Leave out a last, smaller batch; for torch's batch sampler.
    """

    def __init__(
        self, sampler: Sampler, batch_size: int, inner: dict | None = None, drop_last: bool = False
    ) -> None:
        self.sampler, self.batch_size = sampler, batch_size
        if inner is None:
            self.inner = BatchSampler(sampler, batch_size, drop_last)
        else:
            self.inner = DATA_SAMPLERS.build(
                dict(inner), default_args=dict(sampler=sampler, batch_size=batch_size)
            )
        self.begin(seed=0, epoch=0, skip=0)

    def begin(self, seed: int, epoch: int, skip: int, endless: bool = False) -> None:
        """The next iteration leaves out ``skip`` batches, without loading them.

        Args:
            endless: Go on with the next epoch where one ends; ``skip`` counts through all.
        """
        self.seed, self.epoch, self.skip, self.endless = seed, epoch, skip, endless

    def __iter__(self) -> Iterator[SeededBatch]:
        epoch, position = self.epoch, 0
        while True:
            before = position
            for batch in self.inner:
                if position >= self.skip:
                    yield SeededBatch(batch, (self.seed, get_rank(), epoch, position))
                position += 1
            if not self.endless:
                return
            if position == before:
                raise ValueError(
                    f'{type(self.sampler).__name__} gives no batch: the data set is empty, or '
                    'smaller than a batch under drop_last'
                )
            epoch += 1
            if hasattr(self.sampler, 'set_epoch'):
                self.sampler.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.inner)

"""An epoch that can be left and entered at any batch, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mmengine.dist import get_rank
from mmengine.registry import DATA_SAMPLERS, LOOPS
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import BatchSampler, Dataset, Sampler

from .rng import capture_rng, restore_rng, seeded


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


@DATA_SAMPLERS.register_module()
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
        self.sampler = sampler
        if inner is None:
            self.inner = BatchSampler(sampler, batch_size, drop_last)
        else:
            self.inner = DATA_SAMPLERS.build(
                dict(inner), default_args=dict(sampler=sampler, batch_size=batch_size)
            )
        self.begin(seed=0, epoch=0, skip=0)

    def begin(self, seed: int, epoch: int, skip: int) -> None:
        """The next iteration leaves out ``skip`` batches, without loading them."""
        self.seed, self.epoch, self.skip = seed, epoch, skip

    def __iter__(self) -> Iterator[SeededBatch]:
        for position, batch in enumerate(self.inner):
            if position >= self.skip:
                yield SeededBatch(batch, (self.seed, get_rank(), self.epoch, position))

    def __len__(self) -> int:
        return len(self.inner)


def _resumable(loader: Mapping) -> dict:
    loader = dict(loader)
    loader['batch_sampler'] = dict(
        type='ResumableBatchSampler',
        inner=loader.get('batch_sampler'),
        drop_last=loader.pop('drop_last', False),
    )
    return loader


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """`EpochBasedTrainLoop` that goes on in the middle of an epoch where it was stopped.

    Random numbers of the data are keyed by seed, rank, epoch and batch, those of the model go on
    from the state in the checkpoint, as do gradients that are being accumulated. Building
    iterators and validating draw from neither.
    Takes the arguments of `EpochBasedTrainLoop`; the dataloader must be a config.
    """

    def __init__(self, runner, dataloader: Mapping, **kwargs) -> None:
        super().__init__(runner, _resumable(dataloader), **kwargs)
        dataset = self.dataloader.dataset
        dataset.__getitems__ = SeededFetch(dataset)
        self._rng: dict | None = None  # set between epochs

    @property
    def sampler(self) -> Sampler:
        """The data loader's sampler."""
        return self.dataloader.batch_sampler.sampler

    def state(self) -> dict:
        """What a checkpoint needs beside mmengine's content, of this rank."""
        return dict(
            rng=self._rng or capture_rng(),
            sampler_seed=getattr(self.sampler, 'seed', None),
            batches=len(self.dataloader),
            gradients={
                name: weight.grad.cpu()
                for name, weight in self.runner.model.named_parameters()
                if weight.grad is not None  # summed up for a step that is still to come
            },
        )

    def load_state(self, state: dict) -> None:
        """Go on from :meth:`state`.

        Raises:
            ValueError: If an epoch has another number of batches than when it was saved.
        """
        if state['batches'] != len(self.dataloader):
            raise ValueError(
                f'an epoch has {len(self.dataloader)} batches here and had {state["batches"]} when '
                'the checkpoint was saved: resume with the same data, batch size and number of '
                'ranks, or start from its weights with load_from instead of resume'
            )
        if state['sampler_seed'] is not None:
            self.sampler.seed = state['sampler_seed']
        for name, weight in self.runner.model.named_parameters():
            if name in state.get('gradients', {}):
                weight.grad = state['gradients'][name].to(weight)
        self._rng = state['rng']

    def run_epoch(self) -> None:
        """Iterate the rest of the current epoch."""
        done = self._iter - self._epoch * len(self.dataloader)
        self.dataloader.batch_sampler.begin(self.runner.seed, self._epoch, done)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        rng = self._rng or capture_rng()
        batches = iter(self.dataloader)
        restore_rng(rng)
        self._rng = None
        for index, batch in enumerate(batches, start=done):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self._rng = capture_rng()

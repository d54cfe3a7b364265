"""Training loops that can be left and entered at any batch, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mmengine.dist import get_rank
from mmengine.registry import DATA_SAMPLERS, LOOPS
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop
from torch import nn
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


def _seed_fetching(dataset: Dataset) -> None:
    dataset.__getitems__ = SeededFetch(dataset)


def _resumable(loader: Mapping) -> dict:
    loader = dict(loader)
    loader['batch_sampler'] = dict(
        type='ResumableBatchSampler',
        inner=loader.get('batch_sampler'),
        drop_last=loader.pop('drop_last', False),
    )
    return loader


class Resumable:
    """What both loops share: stands in front of a training loop of mmengine.

    Random numbers of the data are keyed by seed, rank, epoch and batch, those of the model go on
    from the state in the checkpoint, as do gradients that are being accumulated. Building
    iterators and validating draw from neither.
    """

    _rng: dict | None = None  # set where the next iteration does not start from the present state

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

    def batches(self) -> Iterator:
        """Iterate the dataloader; starting it draws no random number."""
        rng = self._rng or capture_rng()
        batches = iter(self.dataloader)
        restore_rng(rng)
        self._rng = None
        return batches


@LOOPS.register_module()
class ResumableTrainLoop(Resumable, EpochBasedTrainLoop):
    """`EpochBasedTrainLoop` that goes on in the middle of an epoch where it was stopped.

    Takes the arguments of `EpochBasedTrainLoop`; the dataloader must be a config.
    """

    def __init__(self, runner, dataloader: Mapping, **kwargs) -> None:
        super().__init__(runner, _resumable(dataloader), **kwargs)
        _seed_fetching(self.dataloader.dataset)

    def run_epoch(self) -> None:
        """Iterate the rest of the current epoch."""
        done = self._iter - self._epoch * len(self.dataloader)
        self.dataloader.batch_sampler.begin(self.runner.seed, self._epoch, done)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for index, batch in enumerate(self.batches(), start=done):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self._rng = capture_rng()


class _NoBatch:
    """Stands for the dataloader while mmengine's loop is built, which starts to iterate it."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __iter__(self) -> Iterator:
        return iter(())


@LOOPS.register_module()
class ResumableIterLoop(Resumable, IterBasedTrainLoop):
    """`IterBasedTrainLoop` that goes on where it was stopped, with infinite samplers and others.

    Takes the arguments of `IterBasedTrainLoop`; the dataloader must be a config. A sampler that
    ends begins its next epoch at once, without new data workers.
    """

    def __init__(self, runner, dataloader: Mapping, **kwargs) -> None:
        BaseLoop.__init__(self, runner, _resumable(dataloader))
        loader = self.dataloader
        super().__init__(runner, _NoBatch(loader.dataset), **kwargs)
        self.dataloader = loader
        _seed_fetching(loader.dataset)

    def run(self) -> nn.Module:
        """Launch training."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.dataloader.batch_sampler.begin(self.runner.seed, 0, self._iter, endless=True)
        self.dataloader_iterator = self.batches()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._decide_current_val_interval()
            if self._validates():
                self._rng = capture_rng()
                self.runner.val_loop.run()
                restore_rng(self._rng)
                self._rng = None
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _validates(self) -> bool:
        due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        return self.runner.val_loop is not None and self._iter >= self.val_begin and due

"""Training loops that can be left and entered at any batch, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

from shufflenet_det.integration.registration import register

from .kept_values import kept_values, set_kept_values
from .rng import capture_rng, check_rng, restore_rng
from .seeded_batches import SeededFetch
from .signals import end_workers


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
    iterators and validating draw from neither. A validation that a stop cut off is made up for.
    """

    _rng: dict | None = None  # set where the next iteration does not start from the present state
    validated: int | None = None  # iterations at the last validation
    begun: Iterator | None = None  # the last iterator of the dataloader

    @classmethod
    def in_place_of(cls, plain: BaseLoop, dataloader: Mapping) -> Resumable:
        """This loop with the settings of one of mmengine's, and a config of its data loader."""
        limit = 'max_epochs' if isinstance(plain, EpochBasedTrainLoop) else 'max_iters'
        made = cls(plain.runner, dataloader, **{limit: getattr(plain, limit)})
        for name in ('val_begin', 'val_interval', 'dynamic_milestones', 'dynamic_intervals'):
            setattr(made, name, getattr(plain, name))
        return made

    @property
    def sampler(self) -> Sampler:
        """The data loader's sampler."""
        return self.dataloader.batch_sampler.sampler

    def state(self) -> dict:
        """What a checkpoint needs beside mmengine's content, of this rank."""
        return dict(
            rng=self._rng or capture_rng(),
            sampler_seed=getattr(self.sampler, 'seed', None),
            validated=self.validated,
            kept=kept_values(self.runner),
            gradients={
                name: weight.grad.cpu()
                for name, weight in self.runner.model.named_parameters()
                if weight.grad is not None  # summed up for a step that is still to come
            },
            **self.division(),
        )

    def division(self) -> dict[str, object]:
        """How the data are divided: images, their order, those of a batch, batches of an epoch."""
        return dict(
            images=len(self.dataloader.dataset),
            sampler=type(self.sampler).__name__,
            shuffle=getattr(self.sampler, 'shuffle', None),
            batch_size=self.dataloader.batch_sampler.batch_size,
            batches=len(self.dataloader),
        )

    def load_state(self, state: Mapping, same_data: bool = True) -> None:
        """Go on from :meth:`state`; gradients and random numbers fit to the same data only."""
        self.validated = state.get('validated')
        if state['sampler_seed'] is not None:
            self.sampler.seed = state['sampler_seed']
        set_kept_values(self.runner, state.get('kept', {}))
        if not same_data:
            return
        for name, weight in self.runner.model.named_parameters():
            if name in state.get('gradients', {}):
                weight.grad = state['gradients'][name].to(weight)
        check_rng(state['rng'])
        self._rng = state['rng']

    def batches(self) -> Iterator:
        """Iterate the dataloader; starting it draws no random number."""
        rng = self._rng or capture_rng()
        self.begun = iter(self.dataloader)
        restore_rng(rng)
        self._rng = None
        return self.begun

    def validate(self) -> None:
        """Validate, where that is due after these iterations and was not done."""
        if self.runner.val_loop is None or self.validated == self._iter or not self._is_due():
            return
        self._rng = self._rng or capture_rng()
        self.runner.val_loop.run()
        self.validated = self._iter


def end_loading(loop: object) -> None:
    """End the data workers of a loop; it starts others when it runs again."""
    end_workers(getattr(loop, 'begun', None))
    loader = getattr(loop, 'dataloader', None)
    if isinstance(loader, DataLoader):
        end_workers(loader._iterator)  # persistent ones
        loader._iterator = None


@register('LOOPS')
class ResumableTrainLoop(Resumable, EpochBasedTrainLoop):
    """`EpochBasedTrainLoop` that goes on in the middle of an epoch where it was stopped.

    Takes the arguments of `EpochBasedTrainLoop`; the dataloader must be a config.
    """

    def __init__(self, runner, dataloader: Mapping, **kwargs) -> None:
        super().__init__(runner, _resumable(dataloader), **kwargs)
        if not len(self.dataloader):
            raise ValueError(
                f'the training data give no batch: {self.division()}; give more images, a smaller '
                'batch_size, or drop_last=False'
            )
        _seed_fetching(self.dataloader.dataset)

    def run(self) -> nn.Module:
        """Launch training."""
        self.runner.call_hook('before_train')
        if self._iter:
            self._decide_current_val_interval()
            self.validate()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            self.validate()
        self.runner.call_hook('after_train')
        return self.runner.model

    def _is_due(self) -> bool:
        between = self._iter == self._epoch * len(self.dataloader)
        due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        return between and self._epoch >= self.val_begin and due

    def begin_epoch(self) -> None:
        """Go on at the start of an epoch, as its batches are others than when it began."""
        start = self._epoch * len(self.dataloader)
        self.validated = start if self.validated == self._iter else self.validated
        self._iter = start

    def is_inside(self) -> bool:
        """Whether the iterations done are those of the epochs done, and less than one more."""
        return 0 <= self._iter - self._epoch * len(self.dataloader) <= len(self.dataloader)

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


@register('LOOPS')
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
        if self._iter:
            self._decide_current_val_interval()
            self.validate()
        while self._iter < self._max_iters and not self.stop_training:
            if self._rng is not None:  # a validation was in between
                restore_rng(self._rng)
                self._rng = None
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._decide_current_val_interval()
            self.validate()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _is_due(self) -> bool:
        due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        return self._iter >= self.val_begin and due

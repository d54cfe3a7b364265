"""What the protections cost: iterations of one training, with and without them in turns.

Each batch is trained on three times: twice plain and once protected, in random order. The memory,
the images and their augmentation are the same then; two trainings would differ by more than is
looked for, as their memory lies elsewhere. The CPU time of the process is hardly moved by what
else the machine does, and the two plain iterations tell how small a difference can be seen.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path

from drill.tiny import BASE, shrink, train
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from torch.utils.data import Sampler

from shufflenet_det.bench.intervals import interval_rank, ratio_of
from shufflenet_det.data import generate
from shufflenet_det.training import launch
from shufflenet_det.training.guards import FiniteGuard
from shufflenet_det.training.protection import ProtectionHook, _as, image_loaders
from shufflenet_det.training.rng import seed_from
from shufflenet_det.training.seeded_batches import SeededBatch

WARM_UP = 5
"""Rounds that are not counted."""

IMAGES = 48
KINDS = ('plain', 'plain again', 'protected')


@dataclass(frozen=True)
class Difference:
    """Medians over the rounds of (one - other) / other in percent, and their 95 % intervals."""

    percent: float
    low: float
    high: float


@dataclass(frozen=True)
class Overhead:
    """Times in ms of CPU; ``control`` compares the plain trainings with each other."""

    config: str
    batch: int
    size: tuple[int, int]
    rounds: int
    plain_ms: float
    plain_p10_ms: float
    plain_p90_ms: float
    protected_ms: float
    overhead: Difference
    control: Difference


def difference(times: Sequence[float], reference: Sequence[float]) -> Difference:
    """Compare two series round by round; the interval is that of the ranks (sign test)."""
    found = ratio_of(times, reference)
    return Difference(*(100 * (x - 1) for x in (found.median, found.low, found.high)))


@DATA_SAMPLERS.register_module()
class EachBatchAgain(Sampler):
    """Indices of ``rounds`` batches, each of them once for every kind of iteration."""

    def __init__(self, dataset: Sized, batch_size: int, rounds: int, seed: int | None = None):
        self.dataset, self.batch_size, self.rounds = dataset, batch_size, rounds

    def __iter__(self) -> Iterator[int]:
        for start in range(0, self.rounds * self.batch_size, self.batch_size):
            for _ in KINDS:
                for index in range(start, start + self.batch_size):
                    yield index % len(self.dataset)

    def __len__(self) -> int:
        return self.rounds * len(KINDS) * self.batch_size


class Switch:
    """Takes what ProtectionHook does in an iteration out of a training, and puts it back."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        (self.hook,) = (hook for hook in runner._hooks if isinstance(hook, ProtectionHook))
        self.dataset = runner.train_dataloader.dataset
        self.fetch, self.key = self.dataset.__getitems__, (0,)
        places = image_loaders(self.dataset)
        self.steps = [
            (steps, index, steps[index], _as(LoadImageFromFile, steps[index]))
            for steps, index in places
        ]
        self.on = True
        self.dataset.__getitems__ = self._fetch

    def _fetch(self, batch: SeededBatch) -> list:
        return self.fetch(SeededBatch(batch, self.key))

    def turn(self, on: bool, key: tuple[int, ...]) -> None:
        """Switch, and let the next batch be augmented by ``key`` in both states."""
        self.key = key
        seed_from(key)
        if on == self.on:
            return
        self.on = on
        for steps, index, checked, plain in self.steps:
            steps[index] = checked if on else plain
        if on:
            self.runner._hooks.append(self.hook)  # where it was, last
            self.hook._guard = FiniteGuard(self.runner)
            self.dataset.__getitems__ = self._fetch
        else:
            self.runner._hooks.remove(self.hook)
            self.hook._guard.remove()
            del self.dataset.__getitems__


class Alternate(Hook):
    """Notes the CPU time in ms of each kind of iteration, with its data and hooks."""

    def __init__(self) -> None:
        self.times = {kind: [] for kind in KINDS}
        self._order, self._drawn = [], random.Random(0)
        self._kind: str | None = None

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        if self._kind is None:
            self._switch = Switch(runner)
        else:
            self.times[self._kind].append(1000 * (time.process_time() - self._start))
        if not self._order:
            self._order = self._drawn.sample(KINDS, len(KINDS))
        self._kind = self._order.pop()
        self._switch.turn(self._kind == 'protected', ((batch_idx + 1) // len(KINDS),))
        self._start = time.process_time()

    def after_train_epoch(self, runner: Runner) -> None:
        self._switch.turn(True, (0,))


def configure(folder: Path, tiny: bool, rounds: int) -> Config:
    """The demo config, or the smallest, with one image size and loading in the process itself."""
    data = generate(folder / 'data', num_train=IMAGES, num_val=4)
    cfg = launch.load_config(BASE, dict(data_root=str(data.root)))
    if tiny:
        shrink(cfg)
    loader = cfg.train_dataloader
    for step in loader.dataset.pipeline:
        if step.type == 'RandomChoiceResize':
            step.scales = [(64, 64) if tiny else cfg.scale]
    loader.update(num_workers=0, persistent_workers=False, batch_sampler=None)
    # One batch more, whose time is not noted where it is the last of the epoch.
    loader.sampler = dict(type='EachBatchAgain', batch_size=loader.batch_size, rounds=rounds + 1)
    cfg.work_dir, cfg.log_level = str(folder / 'work'), 'WARNING'
    cfg.train_cfg.update(max_epochs=1, val_interval=2)
    cfg.randomness = dict(seed=0)
    return cfg


def overhead(folder: Path, tiny: bool, rounds: int) -> Overhead:
    """Measure one config; saving a checkpoint, once in an epoch, is not part of it.

    Raises:
        ValueError: If the rounds are too few for an interval.
    """
    if interval_rank(rounds) is None:
        raise ValueError(f'--rounds {rounds} is too few for an interval; give at least 6')
    cfg, clock = configure(folder, tiny, WARM_UP + rounds), Alternate()
    train(cfg, clock)
    plain, again, protected = (clock.times[k][WARM_UP : WARM_UP + rounds] for k in KINDS)
    deciles = statistics.quantiles(plain, n=10)
    return Overhead(
        config='smallest' if tiny else Path(BASE).stem,
        batch=cfg.train_dataloader.batch_size,
        size=(64, 64) if tiny else tuple(cfg.scale),
        rounds=rounds,
        plain_ms=statistics.median(plain),
        plain_p10_ms=deciles[0],
        plain_p90_ms=deciles[-1],
        protected_ms=statistics.median(protected),
        overhead=difference(protected, plain),
        control=difference(again, plain),
    )

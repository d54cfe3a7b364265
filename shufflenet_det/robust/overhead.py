"""What the protections cost: training iterations, plain and protected, that take turns.

Three trainings of one config live in one process and run one iteration each in every round: two
plain ones and one with ProtectionHook. CPU time of a thread is unmoved by what else the machine
does, neighbouring iterations share its state, and the two plain ones tell how small a difference
can be seen.
"""

from __future__ import annotations

import math
import random
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from shufflenet_det import engine
from shufflenet_det.data import generate

from .drill.tiny import BASE, shrink, train

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
    percent = sorted(100 * (a / b - 1) for a, b in zip(times, reference, strict=True))
    margin = math.ceil(0.98 * math.sqrt(len(percent)))
    middle = (len(percent) - 1) / 2
    low, high = max(0, math.floor(middle - margin)), math.ceil(middle + margin)
    return Difference(
        statistics.median(percent), percent[low], percent[min(high, len(percent) - 1)]
    )


class Turns:
    """Threads that run one after the other, each until it hands over, once in every round.

    The order within a round is drawn anew for each, so that none has always the same neighbour.
    """

    def __init__(self, members: int) -> None:
        self._order, self._drawn = [], random.Random(0)
        self._members, self._changed = range(members), threading.Condition()
        self.hand_over()

    def wait(self, member: int) -> None:
        """Block until it is the turn of this run."""
        with self._changed:
            self._changed.wait_for(lambda: self._present == member)

    def hand_over(self) -> None:
        """Let the next run go on."""
        with self._changed:
            if not self._order:
                self._order = self._drawn.sample(self._members, len(self._members))
            self._present = self._order.pop()
            self._changed.notify_all()


class Clock(Hook):
    """Notes the CPU time of each iteration with its data and hooks, in ms, and hands over."""

    def __init__(self, turns: Turns, member: int) -> None:
        self.turns, self.member = turns, member
        self.times: list[float] = []
        self._start: float | None = None

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        if self._start is not None:
            self.times.append(1000 * (time.thread_time() - self._start))
        self.turns.hand_over()
        self.turns.wait(self.member)
        self._start = time.thread_time()


def in_turns(trainings: Sequence[Callable[[Hook], object]]) -> list[list[float]]:
    """Times of the iterations of equally long trainings, each in a thread of its own."""
    turns, errors = Turns(len(trainings)), []
    clocks = [Clock(turns, member) for member in range(len(trainings))]
    ended = threading.Semaphore(0)

    def target(member: int) -> None:
        torch.set_num_threads(1)  # OpenMP keeps it for each thread
        turns.wait(member)
        try:
            trainings[member](clocks[member])
        except BaseException as error:
            errors.append(error)
        turns.hand_over()
        ended.release()

    for member in range(len(trainings)):
        threading.Thread(target=target, args=(member,), daemon=True).start()
    for _ in trainings:
        ended.acquire()
        if errors:
            raise errors[0]
    return [clock.times for clock in clocks]


def configure(folder: Path, kind: str, tiny: bool, rounds: int) -> Config:
    """The demo config, or the smallest, with one image size and loading in the process itself."""
    data = generate(folder / 'data', num_train=IMAGES, num_val=4)
    cfg = engine.load_config(BASE, dict(data_root=str(data.root)))
    if tiny:
        shrink(cfg)
    loader = cfg.train_dataloader
    for step in loader.dataset.pipeline:
        if step.type == 'RandomChoiceResize':
            step.scales = [(64, 64) if tiny else cfg.scale]
    times = -(-(WARM_UP + rounds + 1) * loader.batch_size // IMAGES)
    loader.update(num_workers=0, persistent_workers=False)
    loader.dataset = dict(type='RepeatDataset', times=times, dataset=loader.dataset)
    cfg.work_dir, cfg.log_level = str(folder / kind), 'WARNING'
    cfg.train_cfg.update(max_epochs=1, val_interval=2)
    cfg.randomness = dict(seed=0)
    if kind != 'protected':
        del cfg.default_hooks['protection']
    return cfg


def overhead(folder: Path, tiny: bool, rounds: int) -> Overhead:
    """Measure one config; saving a checkpoint, once in an epoch, is not part of it."""
    cfgs = [configure(folder, kind, tiny, rounds) for kind in KINDS]
    series = in_turns([lambda clock, cfg=cfg: train(cfg, clock) for cfg in cfgs])
    plain, again, protected = (times[WARM_UP : WARM_UP + rounds] for times in series)
    deciles = statistics.quantiles(plain, n=10)
    return Overhead(
        config='smallest' if tiny else Path(BASE).stem,
        batch=cfgs[0].train_dataloader.batch_size,
        size=(64, 64) if tiny else tuple(cfgs[0].scale),
        rounds=rounds,
        plain_ms=statistics.median(plain),
        plain_p10_ms=deciles[0],
        plain_p90_ms=deciles[-1],
        protected_ms=statistics.median(protected),
        overhead=difference(protected, plain),
        control=difference(again, plain),
    )

"""Steps of one training in several forms, each in a process of its own, in turns."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner, set_random_seed
from torch import nn

from shufflenet_det.training.fast_cpu import channels_last, keep_memory, multiply_in_bf16
from shufflenet_det.training.launch import load_config

from .gpu.training_speed import without_files
from .timing import REPEAT, Spent, Timing, in_turns, summarise

FORMS: dict[str, tuple[Callable[[nn.Module], object], ...]] = {
    'plain': (),
    'channels-last': (channels_last,),
    'FastCPUHook': (channels_last, lambda model: keep_memory()),
    'FastCPUHook, bf16': (channels_last, lambda model: keep_memory(), multiply_in_bf16),
}
"""Form -> what is done to a model before its first step."""


@dataclass(frozen=True)
class FormRow:
    """A form of a training.

    Args:
        form: Of :data:`FORMS`.
        timing: Of a step, loading of its images included.
        losses: Of all steps from the first on.
    """

    form: str
    timing: Timing
    losses: tuple[float, ...]


class LoadedStep:
    """The training of a config from fresh weights, one step a call, on the images of its loader."""

    def __init__(self, config: str, settings: Mapping | None = None) -> None:
        register_all_modules()
        set_random_seed(0)
        cfg = load_config(config, settings)
        without_files(cfg.model)
        self.model = MODELS.build(cfg.model)
        self.model.init_weights()
        self.model.train()
        self.optimiser = build_optim_wrapper(self.model, cfg.optim_wrapper)
        self.loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
        self.batches = self._endless()

    def _endless(self) -> Iterator[dict]:
        for epoch in count():
            self.loader.batch_sampler.sampler.set_epoch(epoch)
            yield from self.loader

    def __call__(self) -> float:
        """One step; returns its loss."""
        losses = self.model.train_step(next(self.batches), self.optimiser)
        return losses['loss'].item()


def serve(end: Connection, config: str, settings: Mapping, form: str) -> None:
    """Make a step whenever the other end asks, and send what it took and its loss."""
    torch.set_num_threads(1)
    MMLogger.get_current_instance().setLevel(logging.ERROR)
    step = LoadedStep(config, settings)
    for change in FORMS[form]:
        change(step.model)
    end.send(step.loader.batch_sampler.batch_size)
    while end.recv():
        start, cpu_start = time.perf_counter(), time.process_time()
        loss = step()
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
        end.send((Spent(1000 * wall, 1000 * cpu), loss))


def compare(
    config: str, settings: Mapping, turns: int, warm_up: int, seconds: float | None = None
) -> tuple[list[FormRow], Timing]:
    """Time the forms against each other, with one thread each; all see the same images.

    Args:
        config, settings: As in :func:`~shufflenet_det.training.launch.load_config`.
        turns, seconds: As in :func:`~shufflenet_det.bench.timing.measure`.
        warm_up: Steps of each that do not count.

    Returns:
        The rows, and the first form's times in a second process.
    """
    context = get_context('spawn')
    ends, processes, images = {}, [], 1
    for name in (*FORMS, REPEAT):
        ends[name], other = context.Pipe()
        form = next(iter(FORMS)) if name == REPEAT else name
        processes.append(context.Process(target=serve, args=(other, config, settings, form)))
        processes[-1].start()
        other.close()
        images = ends[name].recv()
    spent, losses = defaultdict(list), defaultdict(list)
    for name in (*list(ends) * warm_up, *in_turns(list(ends), turns, seconds)):
        ends[name].send(True)
        took, loss = ends[name].recv()
        spent[name].append(took)
        losses[name].append(loss)
    for end, process in zip(ends.values(), processes, strict=True):
        end.send(False)
        process.join()
    timings = {name: _timing(name, all_of[warm_up:], images) for name, all_of in spent.items()}
    rows = [FormRow(name, timings[name], tuple(losses[name])) for name in FORMS]
    return rows, timings[REPEAT]


def _timing(name: str, spent: list[Spent], images: int) -> Timing:
    walls, cpus = ([getattr(s, key) for s in spent] for key in ('wall_ms', 'cpu_ms'))
    return summarise(name, walls, images=images, cpu_turns_ms=cpus)

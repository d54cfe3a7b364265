"""The smallest training of MMEngine: one layer on one number, in milliseconds."""

import random
from itertools import count
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

_numbers = count()  # MMEngine keeps its message hub by the name of the run


class Numbers(Dataset):
    metainfo = dict(classes=('number',))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return dict(inputs=torch.tensor([float(index)]))


class Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(1, 1)

    def forward(self, inputs: list[Tensor], mode: str) -> dict[str, Tensor] | list[Tensor]:
        found = self.fc(torch.stack(inputs))
        return dict(loss=found.square().mean()) if mode == 'loss' else list(found)


class Mean(BaseMetric):
    """The mean of what a Line predicts, less noise that differs from call to call."""

    def process(self, data_batch: dict, data_samples: list[Tensor]) -> None:
        self.results += [float(sample) for sample in data_samples]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return dict(mean=sum(results) / len(results) - random.random())


def loader(**kwargs) -> dict:
    """Of 2 batches of 2 numbers an epoch."""
    sampler = dict(type='DefaultSampler', shuffle=True)
    settings = dict(dataset=Numbers(), batch_size=2, num_workers=0, sampler=sampler)
    return settings | kwargs


def validation() -> dict:
    """Arguments of a Runner that validates."""
    sampler = dict(type='DefaultSampler', shuffle=False)
    return dict(
        val_dataloader=dict(dataset=Numbers(), batch_size=1, num_workers=0, sampler=sampler),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=Evaluator(Mean()),
    )


def make_runner(folder: Path, iterations: int, hook: str = 'CheckpointHook', **kwargs) -> Runner:
    """A Runner that saves every second iteration with a checkpoint hook of the given type.

    Args:
        kwargs: Arguments of the Runner, also in place of those here.
    """
    settings = dict(
        model=Line(),
        train_dataloader=loader(),
        train_cfg=dict(by_epoch=False, max_iters=iterations),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.01)),
        param_scheduler=[dict(type='LinearLR', end=10, by_epoch=False)],
        default_hooks=dict(checkpoint=dict(type=hook, interval=2, by_epoch=False)),
        experiment_name=f'line_{next(_numbers)}',
    )
    return Runner(work_dir=str(folder), **(settings | kwargs))


def protected(folder: Path, epochs: int, **kwargs) -> Runner:
    """A Runner with ProtectionHook that saves every epoch; what it warns of is in ``said``."""
    torch.manual_seed(0)  # the model is built before the Runner seeds
    settings = dict(
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        randomness=dict(seed=1),
        log_level='ERROR',
    )
    hooks = [dict(type='ProtectionHook'), *kwargs.pop('custom_hooks', [])]
    runner = make_runner(folder, 0, custom_hooks=hooks, **(settings | kwargs))
    runner.said = []
    runner.logger.warning = lambda line: runner.said.append(str(line))
    return runner

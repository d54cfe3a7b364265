"""The smallest training of MMEngine: one layer on one number, in milliseconds."""

from itertools import count
from pathlib import Path

import torch
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

    def forward(self, inputs: list[Tensor], mode: str) -> dict[str, Tensor]:
        return dict(loss=self.fc(torch.stack(inputs)).square().mean())


def make_runner(folder: Path, iterations: int, hook: str = 'CheckpointHook', **kwargs) -> Runner:
    """A Runner that saves every second iteration with a checkpoint hook of the given type."""
    return Runner(
        Line(),
        str(folder),
        train_dataloader=dict(
            dataset=Numbers(),
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
        ),
        train_cfg=dict(by_epoch=False, max_iters=iterations),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.01)),
        param_scheduler=dict(type='LinearLR', end=10, by_epoch=False),
        default_hooks=dict(checkpoint=dict(type=hook, interval=2, by_epoch=False)),
        experiment_name=f'line_{next(_numbers)}',
        **kwargs,
    )

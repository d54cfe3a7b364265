"""mmengine's checkpoints on torch >= 2.6, with `weights_only` kept on."""

import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner, load_checkpoint
from torch import Tensor, nn
from torch.utils.data import Dataset

pytestmark = pytest.mark.skipif(
    not hasattr(torch.serialization, 'get_unsafe_globals_in_checkpoint'),
    reason='weights_only is not the default before torch 2.6',
)


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


def make_runner(folder: Path, iterations: int, **kwargs: object) -> Runner:
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
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False)),
        experiment_name=f'{folder.name}_{iterations}',
        **kwargs,
    )


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('run')
    make_runner(folder, 2).train()
    return folder / 'iter_2.pth'


def test_training_resumes(checkpoint: Path) -> None:
    runner = make_runner(checkpoint.parent, 4, resume=True)
    runner.train()
    assert runner.iter == 4
    assert len(runner.message_hub.get_scalar('train/loss').data[0]) == 4


def test_weights_load_into_a_model(checkpoint: Path) -> None:
    model = Line()
    load_checkpoint(model, str(checkpoint), strict=True)
    saved = torch.load(checkpoint, weights_only=True)['state_dict']
    torch.testing.assert_close(dict(model.state_dict()), dict(saved))


class Payload:
    """Pickles as a call of `function`, as a harmful checkpoint does."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize(
    'function, arguments',
    [
        (print, ('loaded',)),
        (getattr, (HistoryBuffer, '__init__')),
        (getattr, (torch.Tensor, 'min')),
    ],
    ids=['function', 'attribute', 'method_of_another_class'],
)
def test_anything_else_is_still_refused(
    checkpoint: Path,
    tmp_path: Path,
    function: Callable,
    arguments: tuple,
    capsys: pytest.CaptureFixture,
) -> None:
    content = torch.load(checkpoint, weights_only=True)
    content['meta']['note'] = Payload(function, *arguments)
    torch.save(content, tmp_path / 'payload.pth')
    with pytest.raises((pickle.UnpicklingError, ValueError), match='refused|Weights only'):
        load_checkpoint(Line(), str(tmp_path / 'payload.pth'))
    assert 'loaded\n' not in capsys.readouterr().out


@pytest.mark.parametrize('core', ['core', '_core'], ids=['numpy1', 'numpy2'])
def test_checkpoints_of_both_numpy_versions_load(
    checkpoint: Path, tmp_path: Path, core: str
) -> None:
    renamed = tmp_path / 'renamed.pth'
    with zipfile.ZipFile(checkpoint) as source, zipfile.ZipFile(renamed, 'w') as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith('/data.pkl'):
                content = re.sub(rb'cnumpy\._?core\.', f'cnumpy.{core}.'.encode(), content)
            target.writestr(name, content)
    histories = torch.load(renamed, weights_only=True)['message_hub']['log_scalars']
    assert len(histories['train/loss'].data[0]) == 2

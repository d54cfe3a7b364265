"""MMEngine's own loading, before and after a project asks for ours."""

import importlib
import re
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from line import Line, make_runner
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, load_checkpoint

from shufflenet_det.checkpoints import read_checkpoint

MODULE = 'shufflenet_det.checkpoints.mmengine_loader'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('run')
    make_runner(folder, 2).train()
    return folder / 'iter_2.pth'


@pytest.fixture
def opted_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the import of the module does, for one test."""
    monkeypatch.setattr(CheckpointLoader, '_schemes', OrderedDict(CheckpointLoader._schemes))
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    importlib.import_module(MODULE)


COUNT = """
import mmdet.apis, torch
from mmengine.runner import CheckpointLoader

def changed():
    return set(torch.serialization.get_safe_globals()), dict(CheckpointLoader._schemes)

before = changed()
import shufflenet_det, shufflenet_det.training, shufflenet_det.deploy.predict
print(changed() == before)
"""


def test_the_package_changes_neither_schemes_nor_the_allow_list() -> None:
    done = subprocess.run([sys.executable, '-c', COUNT], capture_output=True, text=True)
    assert done.stdout == 'True\n', done.stdout + done.stderr


def test_training_resumes(checkpoint: Path, opted_in: None) -> None:
    runner = make_runner(checkpoint.parent, 4, resume=True)
    runner.train()
    assert runner.iter == 4
    assert len(runner.message_hub.get_scalar('train/loss').data[0]) == 4


def test_weights_load_into_a_model(checkpoint: Path, opted_in: None) -> None:
    model = Line()
    load_checkpoint(model, str(checkpoint), strict=True)
    saved = read_checkpoint(checkpoint)['state_dict']
    torch.testing.assert_close(dict(model.state_dict()), dict(saved))


class Payload:
    """Pickles as a call of `function`, as a harmful checkpoint does."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize('forced', [False, True])
@pytest.mark.parametrize(
    'function, arguments',
    [
        (print, ('loaded',)),
        (getattr, (HistoryBuffer, '__init__')),
        (getattr, (torch.Tensor, 'min')),
    ],
    ids=['function', 'attribute', 'method_of_another_class'],
)
def test_anything_else_is_refused(
    checkpoint: Path, tmp_path: Path, opted_in: None, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture, function: Callable, arguments: tuple, forced: bool,
) -> None:  # fmt: skip
    if forced:  # torch's own switch for files that are trusted
        monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    content = read_checkpoint(checkpoint)
    content['meta']['note'] = Payload(function, *arguments)
    torch.save(content, tmp_path / 'payload.pth')
    with pytest.raises(ValueError, match='payload.pth: .*refused'):
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
    histories = read_checkpoint(renamed)['message_hub']['log_scalars']
    assert len(histories['train/loss'].data[0]) == 2

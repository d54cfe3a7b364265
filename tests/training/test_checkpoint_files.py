import os

import pytest
import torch

from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.training import SafeCheckpointHook, newest_intact

PARTS = dict(
    meta=dict(iter=1, epoch=0),
    optimizer={},
    message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
)
STATE = {'conv.weight': torch.ones(4, 2), 'head.weight': torch.ones(3)}


def save(path, age):
    torch.save(dict(state_dict=STATE, **PARTS), path)
    os.utime(path, (1e9 - age, 1e9 - age))


@pytest.fixture
def work_dir(tmp_path):
    for age, name in enumerate(['new.pth', 'middle.pth', 'old.pth']):
        save(tmp_path / name, age)
    return tmp_path


def test_pointer_is_asked_first(work_dir):
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'old.pth'))
    assert newest_intact(work_dir) == str(work_dir / 'old.pth')


@pytest.mark.parametrize('pointer', ['', 'gone.pth', 'new.pth'])
def test_falls_back_to_the_newest_intact_file(work_dir, pointer):
    (work_dir / 'last_checkpoint').write_text(pointer)
    (work_dir / 'new.pth').write_bytes(b'torn')
    assert newest_intact(work_dir) == str(work_dir / 'middle.pth')


def test_pointer_is_followed_into_a_moved_folder(work_dir):
    (work_dir / 'last_checkpoint').write_text('elsewhere/old.pth')
    assert newest_intact(work_dir) == str(work_dir / 'old.pth')


def test_weights_alone_are_not_resumed_from(work_dir):
    torch.save(STATE, work_dir / 'best.pth')
    assert newest_intact(work_dir) == str(work_dir / 'new.pth')


def test_empty_folder_has_none(tmp_path):
    assert newest_intact(tmp_path) is None


def test_all_damaged_is_an_error_that_names_each(work_dir):
    for path in work_dir.glob('*.pth'):
        path.write_bytes(b'torn')
    with pytest.raises(ValueError, match=r'(?s)new\.pth.*middle\.pth.*old\.pth.*start anew'):
        newest_intact(work_dir)


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / 'a.pth'
    replace_file(path, b'old')

    def full(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match=f'{path}.*3 bytes.*No space left.*intact'):
        replace_file(path, b'new')
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('backend_args', [dict(backend='local'), dict(backend='disk')])
def test_every_backend_saves_only_what_can_be_resumed(backend_args):
    hook = SafeCheckpointHook(backend_args=backend_args, out_dir='work')
    hook.before_save_checkpoint(None, dict(state_dict=STATE, **PARTS))
    bad = {'conv.weight': torch.tensor([1.0, float('nan')])}
    with pytest.raises(ValueError, match=r'not saved.*NaN.*conv\.weight'):
        hook.before_save_checkpoint(None, dict(state_dict=bad, **PARTS))

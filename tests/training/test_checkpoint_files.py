import os
import warnings

import pytest
import torch

from shufflenet_det.checkpoints.atomic import remove_leftovers, replace_file
from shufflenet_det.training import SafeCheckpointHook, newest_intact

STATE = {'conv.weight': torch.ones(4, 2), 'head.weight': torch.ones(3)}


def parts(iteration, epoch=0):
    return dict(
        meta=dict(iter=iteration, epoch=epoch),
        optimizer={},
        message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
    )


PARTS = parts(1)
FILES = {'epoch_9.pth': 90, 'epoch_10.pth': 100, 'iter_95.pth': 95, 'interrupted.pth': 100}


@pytest.fixture
def work_dir(tmp_path):
    """The more iterations the older is the file: clocks may be set back."""
    for name, iteration in FILES.items():
        torch.save(dict(state_dict=STATE, **parts(iteration)), tmp_path / name)
        os.utime(tmp_path / name, (1e9 - iteration, 1e9 - iteration))
    return tmp_path


POINTERS = {
    'gone': lambda path: None,
    'empty': lambda path: path.write_text(''),
    'an older file': lambda path: path.write_text(str(path.with_name('epoch_9.pth'))),
    'a file elsewhere': lambda path: path.write_text('/elsewhere/epoch_10.pth'),
    'no UTF-8': lambda path: path.write_bytes(b'\xff\xfe'),
    '5000 letters': lambda path: path.write_text('x' * 5000),
    'a dangling link': lambda path: path.symlink_to('nowhere'),
}


@pytest.mark.parametrize('pointer', POINTERS)
def test_newest_is_the_one_of_most_iterations_whatever_last_checkpoint_says(work_dir, pointer):
    POINTERS[pointer](work_dir / 'last_checkpoint')
    assert newest_intact(work_dir) == str(work_dir / 'interrupted.pth')


@pytest.mark.parametrize(
    'gone, newest',
    [
        (['interrupted.pth'], 'epoch_10.pth'),
        (['interrupted.pth', 'epoch_10.pth'], 'iter_95.pth'),
        (['interrupted.pth', 'epoch_10.pth', 'iter_95.pth'], 'epoch_9.pth'),
    ],
)
@pytest.mark.parametrize('how', ['deleted', 'torn'])
def test_next_newest_is_taken_where_one_is_gone_or_damaged(work_dir, gone, newest, how):
    for name in gone:
        (work_dir / name).unlink() if how == 'deleted' else (work_dir / name).write_bytes(b'torn')
    assert newest_intact(work_dir) == str(work_dir / newest)


def test_folder_of_the_checkpoints_is_looked_into_too(work_dir, tmp_path_factory):
    logs = tmp_path_factory.mktemp('logs')
    assert newest_intact(logs, work_dir) == str(work_dir / 'interrupted.pth')


def test_weights_alone_are_not_resumed_from(work_dir):
    torch.save(STATE, work_dir / 'best_epoch_11.pth')
    assert newest_intact(work_dir) == str(work_dir / 'interrupted.pth')


def test_empty_folder_has_none(tmp_path):
    assert newest_intact(tmp_path) is None


def test_all_damaged_is_an_error_that_names_each(work_dir):
    for path in work_dir.glob('*.pth'):
        path.write_bytes(b'torn')
    with pytest.raises(ValueError) as error:
        newest_intact(work_dir)
    assert all(name in str(error.value) for name in [*FILES, 'start anew'])


def test_file_system_that_flushes_no_folders_is_told_once(tmp_path, monkeypatch):
    flush, folders = os.fsync, []

    def refused(descriptor):
        if os.path.isdir(f'/proc/self/fd/{descriptor}'):
            folders.append(descriptor)
            raise OSError(22, 'Invalid argument')
        flush(descriptor)

    monkeypatch.setattr(os, 'fsync', refused)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('default')
        for content in (b'first', b'second'):
            replace_file(tmp_path / 'a.pth', content)
    assert len(folders) == 2 and (tmp_path / 'a.pth').read_bytes() == b'second'
    (warning,) = told
    assert f'{tmp_path}: its file system does not flush folders' in str(warning.message)


def test_leftovers_of_killed_writers_go_and_other_files_stay(tmp_path):
    left = ['.epoch_3.pth.12.tmp', '.interrupted.pth.7.tmp']
    others = ['.notes.tmp', '.epoch_3.pth.tmp', '.a.json.12.tmp', 'epoch_3.pth.12.tmp']
    for name in left + others:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, '*.pth')
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


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

import os

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.training import newest_intact
from shufflenet_det.training.guards import check_match

STATE = {'conv.weight': torch.ones(4, 2), 'head.weight': torch.ones(3)}


def save(path, age):
    torch.save(dict(state_dict=STATE, optimizer={}, meta=dict(iter=1)), path)
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


def test_mmengine_reads_through_the_safe_loader(work_dir):
    (work_dir / 'new.pth').write_bytes(b'')
    with pytest.raises(ValueError, match=r'new\.pth: corrupt'):
        CheckpointLoader.load_checkpoint(str(work_dir / 'new.pth'))
    loaded = CheckpointLoader.load_checkpoint(str(work_dir / 'old.pth'))
    assert loaded['meta'] == dict(iter=1)


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


def test_match_reports_loaded_and_total():
    assert check_match(STATE, STATE) == 'loaded 2 of 2 tensors of the model'


def test_other_shape_is_allowed_in_a_head_only():
    assert 'loaded 1 of 2' in check_match(STATE, {**STATE, 'head.weight': torch.ones(5)})
    with pytest.raises(ValueError, match=r'conv\.weight \(1,\) for \(4, 2\)'):
        check_match(STATE, {**STATE, 'conv.weight': torch.ones(1)})


def test_no_common_name_is_an_error():
    with pytest.raises(ValueError, match='none of the 1 tensors'):
        check_match(STATE, {'other': torch.ones(1)})


class Payload:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('forced', [False, True])
@pytest.mark.parametrize('scheme', ['', 'http://somewhere/', 'https://somewhere/'])
def test_payload_is_never_executed(tmp_path, monkeypatch, scheme, forced):
    if forced:  # torch's own switch for files that are trusted
        monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    path = tmp_path / 'checkpoints/net.pth'  # as if downloaded before
    path.parent.mkdir()
    torch.save({**STATE, 'hook': Payload(tmp_path / 'ran')}, path)
    with pytest.raises(ValueError, match='mkdir'):
        CheckpointLoader.load_checkpoint(f'{scheme}net.pth' if scheme else str(path), 'cpu')
    assert not (tmp_path / 'ran').exists()

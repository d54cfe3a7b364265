import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file
from torchvision import models

from shufflenet_det.checkpoints import files, read_checkpoint, write_state_dict

STATE = {'conv.weight': torch.arange(50_000.0), 'bn.num_batches_tracked': torch.tensor(3)}


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_written_file_reads_back_and_its_hash_is_returned(tmp_path, suffix):
    path = tmp_path / f'net{suffix}'
    digest = write_state_dict(STATE, path)
    assert digest == sha256(path.read_bytes()).hexdigest()
    back = read_checkpoint(path)
    assert back.keys() == STATE.keys()
    assert all(torch.equal(back[key], STATE[key]) for key in STATE)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, suffix):
    path = tmp_path / f'net{suffix}'
    path.write_bytes(b'old')

    def full(*args, **kwargs):
        raise OSError('No space left on device')

    monkeypatch.setattr(files, 'save', full)
    monkeypatch.setattr(files.torch, 'save', full)
    with pytest.raises(OSError, match='No space left'):
        write_state_dict(STATE, path)
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_other_suffixes_are_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"'\.bin' is not allowed; \.pth or \.safetensors"):
        write_state_dict(STATE, tmp_path / 'net.bin')


def _truncated(path):
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:100_000])


def _flipped_bit(path):
    torch.save({'weight': torch.ones(10_000)}, path)
    content = bytearray(path.read_bytes())
    content[20_000] ^= 1
    path.write_bytes(content)


def _truncated_safetensors(path):
    save_file(STATE, path)
    path.write_bytes(path.read_bytes()[:100_000])


CORRUPT = {
    'empty': (lambda path: path.write_bytes(b''), 'empty'),
    'truncated': (_truncated, 'corrupt'),
    'flipped bit': (_flipped_bit, 'checksum of record'),
    'html': (lambda path: path.write_text('\n<!DOCTYPE html><html></html>'), 'HTML page'),
    'text': (lambda path: path.write_text('version https://git-lfs'), 'not written by torch.save'),
    'list': (lambda path: torch.save([torch.ones(1)], path), 'holds a list'),
    'no tensors': (lambda path: torch.save({'epoch': 3}, path), 'without named tensors'),
    'nan': (lambda path: torch.save({'a.weight': torch.tensor([torch.nan])}, path), r'a\.weight'),
    'inf': (lambda path: torch.save({'a': {'b': torch.tensor([torch.inf])}}, path), r"\['a\.b'\]"),
}


@pytest.mark.parametrize('fault', CORRUPT)
def test_corrupt_file_is_an_error_that_names_path_and_cause(tmp_path, fault):
    write, message = CORRUPT[fault]
    path = tmp_path / 'net.pth'
    write(path)
    with pytest.raises(ValueError, match=message) as error:
        read_checkpoint(path)
    assert str(path) in str(error.value)


def test_truncated_safetensors_is_an_error(tmp_path):
    path = tmp_path / 'net.safetensors'
    _truncated_safetensors(path)
    with pytest.raises(ValueError, match=f'{path}: corrupt'):
        read_checkpoint(path)


@pytest.mark.parametrize('what', ['no such file', 'is a directory'])
def test_path_that_is_no_file_is_named(tmp_path, what):
    path = tmp_path if what == 'is a directory' else tmp_path / 'net.pth'
    with pytest.raises(FileNotFoundError, match=f'{path}: {what}'):
        read_checkpoint(path)


def test_pickle_payload_is_refused_and_not_executed(tmp_path):
    path, trace = tmp_path / 'net.pth', tmp_path / 'executed'
    torch.save({'state_dict': STATE, 'hook': Payload(trace)}, path)
    with pytest.raises(ValueError, match='mkdir, which loading would execute: refused'):
        read_checkpoint(path)
    assert not trace.exists()


def test_checkpoint_of_mmengine_is_read_without_its_logs(tmp_path):
    history = HistoryBuffer()
    history.update(1.5)
    hub = {'loss': history, 'lr': np.float64(0.1), 'seen': np.int64(3), 'all': np.arange(3)}
    torch.save({'state_dict': STATE, 'message_hub': hub}, tmp_path / 'iter_1.pth')
    allowed = set(torch.serialization.get_safe_globals())
    content = read_checkpoint(tmp_path / 'iter_1.pth')
    assert content['state_dict'].keys() == STATE.keys()
    assert set(torch.serialization.get_safe_globals()) == allowed


@pytest.mark.parametrize(
    ('checkpoint', 'message'),
    [
        ('torchvision://shufflenet_v3', r'no such name.*shufflenet_v2_x1_0\.default'),
        ('open-mmlab://none', 'no such name'),
        ('gopher://net.pth', 'scheme gopher:// is not known'),
    ],
)
def test_unknown_address_is_an_error(checkpoint, message):
    with pytest.raises(ValueError, match=message):
        files.resolve(checkpoint)


def test_download_is_checked_and_goes_to_the_cache_of_torch_hub_once(tmp_path, monkeypatch):
    urls = []

    def download(url, path, hash_prefix, progress):
        assert f'-{hash_prefix}.' in url
        urls.append(url)
        Path(path).write_bytes(b'weights')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    paths = {files.resolve('torchvision://shufflenet_v2_x1_0') for _ in range(2)}
    url = models.ShuffleNet_V2_X1_0_Weights.DEFAULT.url
    assert urls == [url]
    assert paths == {tmp_path / 'checkpoints' / url.rpartition('/')[2]}


def test_folder_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='none'):
        write_state_dict(STATE, tmp_path / 'none' / 'net.safetensors')

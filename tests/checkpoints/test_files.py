import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

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
    'flipped bit': (_flipped_bit, 'Bad CRC-32'),
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


def test_histories_and_numpy_numbers_of_mmengine_are_read(tmp_path):
    history = HistoryBuffer([1.5, 2.5], [1, 1], max_length=7)
    array = np.arange(6, dtype='>i4').reshape(2, 3).T
    hub = {'loss': history, 'lr': np.float64(0.1), 'seen': np.int64(3), 'all': array}
    torch.save({'state_dict': STATE, 'message_hub': hub}, tmp_path / 'iter_1.pth')
    read = read_checkpoint(tmp_path / 'iter_1.pth')['message_hub']
    assert (read['lr'], read['seen']) == (0.1, 3)
    assert (type(read['lr']), type(read['seen'])) == (np.float64, np.int64)
    assert np.array_equal(read['all'], array)
    assert read['loss'].data[0].tolist() == [1.5, 2.5] and read['loss'].max_length == 7
    assert read['loss'].mean() == 2


class Own:
    """A class that a user allowed."""

    def __init__(self, number):
        self.number = number


def test_what_the_user_allowed_is_read_and_the_list_stays_as_it_is(tmp_path):
    path = tmp_path / 'net.pth'
    torch.save({'state_dict': STATE, 'own': Own(3)}, path)
    with pytest.raises(ValueError, match='Own, which loading would execute'):
        read_checkpoint(path)
    with torch.serialization.safe_globals([Own]):
        allowed = torch.serialization.get_safe_globals()
        assert read_checkpoint(path)['own'].number == 3
        assert torch.serialization.get_safe_globals() == allowed


def test_what_torch_allows_for_itself_is_refused(tmp_path):
    path = tmp_path / 'net.pth'
    torch.save({'state_dict': STATE, 'error': KeyError('a')}, path)
    with pytest.raises(ValueError, match='KeyError, which loading would execute'):
        read_checkpoint(path)


def test_threads_read_at_the_same_time_and_torch_load_meanwhile(tmp_path):
    ours, plain = tmp_path / 'ours.pth', tmp_path / 'plain.pth'
    torch.save({'state_dict': STATE, 'loss': HistoryBuffer([1.5], [1]), 'own': Own(3)}, ours)
    torch.save({'own': Own(4)}, plain)
    with torch.serialization.safe_globals([Own]), ThreadPoolExecutor(6) as pool:
        loads = [pool.submit(torch.load, plain, weights_only=True) for _ in range(780)]
        reads = [pool.submit(read_checkpoint, ours) for _ in range(36)]
        read = [future.result() for future in reads]
        assert {future.result()['own'].number for future in loads} == {4}
    assert {float(each['loss'].mean()) for each in read} == {1.5}
    assert {each['own'].number for each in read} == {3}
    assert all(torch.equal(each['state_dict'][key], STATE[key]) for each in read for key in STATE)


def test_a_pipe_is_no_checkpoint(tmp_path):
    os.mkfifo(tmp_path / 'net.pth')
    with pytest.raises(FileNotFoundError, match=r'net\.pth: is a pipe or a device'):
        read_checkpoint(tmp_path / 'net.pth')


def test_folder_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='none'):
        write_state_dict(STATE, tmp_path / 'none' / 'net.safetensors')

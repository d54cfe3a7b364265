"""Files made to do harm: refused by their path in one line, or read without harm."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from forged import REFUSED, array, checkpoint, dtype_with_addresses, saved, write
from mmengine.logging import HistoryBuffer

from shufflenet_det.checkpoints import read_checkpoint


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize('forgery', REFUSED)
def test_forged_file_is_refused_in_one_line(own_folder, forgery):
    note, message = REFUSED[forgery]
    path = write(own_folder / 'net.pth', checkpoint(note))
    methods = dict(vars(HistoryBuffer))
    with pytest.raises(ValueError) as error:
        read_checkpoint(path)
    assert str(error.value).startswith(f'{path}: ') and message in str(error.value)
    assert '\n' not in str(error.value) and len(str(error.value)) < 500
    assert dict(vars(HistoryBuffer)) == methods
    assert [entry.name for entry in own_folder.iterdir()] == ['net.pth']


def test_the_forger_writes_files_that_are_read(tmp_path):
    content = read_checkpoint(write(tmp_path / 'net.pth', checkpoint(array((1,), bytes(8)))))
    assert torch.equal(content['weight'], torch.zeros(4)) and content['note'] == np.zeros(1)


def test_a_compressed_archive_is_refused(tmp_path):
    path = tmp_path / 'net.pth'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('net/data.pkl', checkpoint())
        archive.writestr('net/data/0', bytes(10_000_000))
    with pytest.raises(ValueError, match=rf'{path}: is \d+ bytes that unpack to 10000\d+'):
        read_checkpoint(path)


ADDRESSES = """
import copy, sys
from shufflenet_det.checkpoints import read_checkpoint
content = read_checkpoint(sys.argv[1])
print(copy.deepcopy(content['note']).dtype)
"""


def test_forged_state_of_a_numpy_dtype_does_not_end_the_process(tmp_path):
    path = write(tmp_path / 'net.pth', checkpoint(dtype_with_addresses()))
    done = subprocess.run(
        [sys.executable, '-c', ADDRESSES, str(path)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, 'float64\n'), done.stderr


ODD = {
    'sparse': (lambda: torch.eye(3).to_sparse(), 'a sparse tensor'),
    'quantised': (
        lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), 'a quantised tensor',
    ),
    'meta': (lambda: torch.ones(3, device='meta'), 'without values'),
    'expanded': (lambda: torch.ones(1).expand(1_000_000_000_000), r'shape \(1000000000000,\)'),
    'conjugated': (lambda: torch.ones(2, dtype=torch.complex64).conj(), 'conjugated'),
}  # fmt: skip


@pytest.mark.filterwarnings('ignore:.*quantiz')
@pytest.mark.parametrize('kind', ODD)
def test_tensor_without_plain_values_is_refused(tmp_path, kind):
    make, message = ODD[kind]
    path = tmp_path / 'net.pth'
    torch.save({'weight': torch.ones(2), 'odd': make()}, path)
    with pytest.raises(ValueError, match=f'{path}: .*{message}.*refused'):
        read_checkpoint(path)


def test_weights_may_be_shared_but_not_multiplied(tmp_path):
    weight, path = torch.rand(1000), tmp_path / 'net.pth'
    torch.save({'state_dict': {'a': weight}, 'ema': {'a': weight, 'b': weight[2:]}}, path)
    content = read_checkpoint(path)
    assert torch.equal(content['ema']['b'], weight[2:])
    storages = {content[k]['a'].untyped_storage().data_ptr() for k in ('state_dict', 'ema')}
    assert len(storages) == 1
    torch.save({str(i): weight[:] for i in range(100)}, path)
    with pytest.raises(ValueError, match=f'{path}: .*by expanded tensors'):
        read_checkpoint(path)


@pytest.mark.parametrize('name', ['float8_e4m3fn', 'float8_e5m2', 'uint16', 'bfloat16', 'bool'])
def test_unusual_types_are_read(tmp_path, name):
    weight = torch.ones(3).to(getattr(torch, name))
    torch.save({'weight': weight}, tmp_path / 'net.pth')
    assert torch.equal(read_checkpoint(tmp_path / 'net.pth')['weight'].float(), weight.float())


@pytest.mark.parametrize('name', ['float8_e4m3fn', 'float16', 'complex64'])
def test_nan_is_found_in_every_type(tmp_path, name):
    torch.save({'a.b': torch.tensor([torch.nan]).to(getattr(torch, name))}, tmp_path / 'net.pth')
    with pytest.raises(
        ValueError, match=r"NaN or infinite values in 1 tensors, such as \['a\.b'\]"
    ):
        read_checkpoint(tmp_path / 'net.pth')


@pytest.mark.parametrize('legacy', [False, True], ids=['archive', 'legacy'])
def test_any_cut_or_changed_file_is_an_error_with_its_path(tmp_path, legacy):
    content = saved({'weight': torch.ones(3)}, _use_new_zipfile_serialization=not legacy)
    path = tmp_path / 'net.pth'
    for length in range(1, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=f'^{path}: '):
            read_checkpoint(path)
    rng = np.random.default_rng(0)
    for position in rng.integers(len(content), size=200):
        path.write_bytes(
            content[:position] + bytes([content[position] ^ 255]) + content[position + 1 :]
        )
        try:
            read_checkpoint(path)
        except ValueError as error:
            assert str(error).startswith(f'{path}: ')

"""Files made to do harm: refused by their path in one line, or read without harm."""

import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from forged import (
    build,
    call,
    checkpoint,
    many,
    named,
    number,
    saved,
    storage,
    tensor,
    text,
    value,
    write,
)
from mmengine.logging import HistoryBuffer

from shufflenet_det.checkpoints import read_checkpoint

HISTORY = 'mmengine.logging.history_buffer.HistoryBuffer'
F8 = call('numpy.dtype', text('f8'), pickle.NEWFALSE, pickle.NEWTRUE)
DUP_TUPLE = pickle.BINPUT + b'\x63' + pickle.BINGET + b'\x63' + pickle.TUPLE2


def array(shape: tuple, content: bytes) -> bytes:
    empty = call(
        'numpy.core.multiarray._reconstruct', named('numpy.ndarray'), value((0,)), text('')
    )
    raw = call('_codecs.encode', text(content.decode('latin-1')), text('latin1'))
    return build(empty, many(number(1), value(shape), F8, pickle.NEWFALSE, raw))


def nested(depth: int) -> bytes:
    return pickle.EMPTY_LIST * depth + pickle.APPEND * (depth - 1)


REFUSED = {
    'function': (call('posix.mkdir', text('ran')), 'posix.mkdir, which loading would execute'),
    'function by STACK_GLOBAL': (text('os') + text('mkdir') + b'\x93', 'os.mkdir, which'),
    'function by INST': (pickle.MARK + text('ran') + b'ios\nmkdir\n', 'instruction INST'),
    'extension registry': (pickle.EXT1 + b'\x01', 'instruction EXT1'),
    'module of the process': (named('builtins.__import__'), 'builtins.__import__, which'),
    'attribute of a function': (
        call('builtins.getattr', named(HISTORY), text('__init__')), "attribute '__init__'",
    ),
    'attribute of a tensor': (
        call('builtins.getattr', tensor(), text('mean')), "attribute 'mean'",
    ),
    'state of a class': (
        build(named(HISTORY), many(pickle.NONE, value({'mean': None}))), 'gives a Allowed',
    ),
    'state of a dtype of torch': (build(named('torch.float32'), value({})), 'gives a dtype'),
    'state of a tensor': (build(tensor(), value({'data': 0})), 'gives a Tensor'),
    'state of a numpy number': (
        build(call('numpy.core.multiarray.scalar', F8, value(bytes(8))), value(())),
        'gives a float64',
    ),
    'item of a class': (
        named(HISTORY) + text('a') + text('b') + pickle.SETITEM, 'fills a Allowed like a container',
    ),
    'call of a value': (value(3) + value(()) + pickle.REDUCE, 'calls a int'),
    'numpy objects': (
        call('numpy.dtype', text('O8'), pickle.NEWFALSE, pickle.NEWTRUE), "type 'O8'",
    ),
    'numpy array beyond its bytes': (array((1 << 40,), bytes(8)), 'has 8 bytes'),
    'bytes of any length': (call('builtins.bytearray', number(1 << 42)), 'made of a int'),
    'bytes by another codec': (call('_codecs.encode', text('a'), text('zlib')), "'zlib'"),
    'a reference to source code': (
        many(text('module'), named('torch.Tensor'), text('a'), text('b'), text('c'))
        + pickle.BINPERSID, 'no tensor',
    ),
    'a storage of another length': (storage(5), 'has 16 bytes, not 20'),
    'a storage that is not there': (storage(4, '7'), 'net/data/7'),
    'a tensor beyond its storage': (tensor((5,)), 'beyond its 16 bytes'),
    'an offset beyond it': (tensor(offset=1), 'beyond its 16 bytes'),
    'a stride beyond it': (tensor((4,), (2,)), 'beyond its 16 bytes'),
    'a negative stride': (tensor((2,), (-1,), 3), 'sizes'),
    'a size that is no number': (tensor(('a',)), 'sizes'),
    'too many dimensions': (tensor((1,) * 65, (1,) * 65), 'sizes'),
    'an expanded tensor': (tensor((1_000_000, 1_000_000), (0, 0)), 'expanded tensors'),
    'more numbers than can be counted': (tensor((1 << 62, 1 << 62), (0, 0)), 'corrupt'),
    'a dict in itself': (
        pickle.EMPTY_DICT + pickle.BINPUT + b'\x05' + text('a') + pickle.BINGET + b'\x05'
        + pickle.SETITEM, 'contains itself',
    ),
    'a list in itself': (
        pickle.EMPTY_LIST + pickle.BINPUT + b'\x05' + pickle.BINGET + b'\x05' + pickle.APPEND,
        'contains itself',
    ),
    'deep nesting': (nested(100_000), 'nested more than 100 levels'),
    'shared tuples, 2 ** 60 in all': (value(()) + DUP_TUPLE * 60, 'entries by sharing'),
    'long names of one key': (
        text('k' * 4000) + pickle.BINPUT + b'\x07'
        + (pickle.EMPTY_DICT + pickle.BINGET + b'\x07') * 90 + pickle.NONE + pickle.SETITEM * 90
        + pickle.TUPLE2, 'by sharing containers',
    ),
    'a key without end': (
        pickle.EMPTY_DICT + text('k' * 5000) + pickle.NONE + pickle.SETITEM, 'very long',
    ),
    'a key that is never hashed': (
        pickle.EMPTY_DICT + value(()) + DUP_TUPLE * 90 + pickle.NONE + pickle.SETITEM,
        'key of nested tuples',
    ),
    'more values than there are': (pickle.TUPLE3 * 3, 'corrupt'),
    'a name of many lines': (text('os\n\n') + text('x' * 5000) + b'\x93', r'os\n\n.x'),
}  # fmt: skip


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
    """numpy takes the addresses of a dtype's fields from this state."""
    fields = value({'a': ('f8', 1 << 40)})
    state = many(
        number(3), text('<'), pickle.NONE, value(('a',)), fields, number(1 << 40), number(8),
        number(63),
    )  # fmt: skip
    forged = build(F8, state)
    note = call('numpy.core.multiarray.scalar', forged, call('_codecs.encode', text('a' * 8),
                                                             text('latin1')))  # fmt: skip
    path = write(tmp_path / 'net.pth', checkpoint(note))
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

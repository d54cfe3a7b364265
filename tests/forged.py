"""Forged checkpoint files: pickles written instruction by instruction."""

import io
import pickle
import struct
import zipfile
from pathlib import Path

import torch

NUMBERS = 4
BYTES = 4 * NUMBERS


def text(value: str) -> bytes:
    return pickle.BINUNICODE + struct.pack('<I', len(value)) + value.encode()


def number(value: int) -> bytes:
    encoded = pickle.encode_long(value)
    return pickle.LONG1 + bytes([len(encoded)]) + encoded


def value(plain: object) -> bytes:
    """Instructions of a plain value."""
    return pickle.dumps(plain, 2)[2:-1]


def named(name: str) -> bytes:
    module, _, attribute = name.rpartition('.')
    return pickle.GLOBAL + f'{module}\n{attribute}\n'.encode()


def many(*items: bytes) -> bytes:
    return pickle.MARK + b''.join(items) + pickle.TUPLE


def call(name: str, *arguments: bytes) -> bytes:
    return named(name) + many(*arguments) + pickle.REDUCE


def build(instance: bytes, state: bytes) -> bytes:
    return instance + state + pickle.BUILD


def storage(count: int = NUMBERS, key: str = '0') -> bytes:
    """Reference to the numbers that :func:`write` puts into the archive."""
    parts = text('storage'), named('torch.FloatStorage'), text(key), text('cpu'), number(count)
    return many(*parts) + pickle.BINPERSID


def tensor(size: tuple = (NUMBERS,), stride: tuple = (1,), offset: int = 0) -> bytes:
    arguments = storage(), number(offset), value(size), value(stride), pickle.NEWFALSE
    hooks = call('collections.OrderedDict')
    return call('torch._utils._rebuild_tensor_v2', *arguments, hooks)


def checkpoint(note: bytes = pickle.NONE, weight: bytes = b'') -> bytes:
    """A pickle of dict(weight=..., note=...)."""
    items = text('weight') + (weight or tensor()) + text('note') + note
    return pickle.PROTO + b'\x02' + pickle.EMPTY_DICT + pickle.MARK + items + b'u' + pickle.STOP


def write(path: Path, pickled: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    """An archive as `torch.save` writes it, with one storage of :data:`NUMBERS` float32."""
    records = {'data.pkl': pickled, 'byteorder': b'little', 'data/0': bytes(BYTES)}
    with zipfile.ZipFile(path, 'w', compression) as archive:
        for name, content in records.items():
            archive.writestr(f'net/{name}', content)
    return path


def saved(content: object, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


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


def dtype_with_addresses() -> bytes:
    """A number whose dtype has a state from which numpy takes the addresses of its fields."""
    fields = value({'a': ('f8', 1 << 40)})
    state = many(
        number(3), text('<'), pickle.NONE, value(('a',)), fields, number(1 << 40), number(8),
        number(63),
    )  # fmt: skip
    forged = build(F8, state)
    return call('numpy.core.multiarray.scalar', forged, call('_codecs.encode', text('a' * 8),
                                                             text('latin1')))  # fmt: skip


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
    'a key of the hash of another': (
        pickle.EMPTY_DICT + number(2**61 - 1) + pickle.NONE + pickle.SETITEM, 'as a key',
    ),
    'members of one hash': (call('builtins.set', value([2**61 - 1, 0])), 'as a key'),
    'a key of fractions': (
        pickle.EMPTY_DICT + value((0.5, 1.5)) + pickle.NONE + pickle.SETITEM, '0.5 as a key',
    ),
    'a complex key': (
        pickle.EMPTY_DICT + call('builtins.complex', value(1.0), value(2.0)) + pickle.NONE
        + pickle.SETITEM, '(1+2j) as a key',
    ),
    'a frozen set as key': (
        pickle.EMPTY_DICT + pickle.MARK + value(1) + b'\x91' + pickle.NONE + pickle.SETITEM,
        'key of nested tuples',
    ),
    'a reference as text': (b'Pstorage\n', 'instruction PERSID'),
    'an object by keywords': (
        named(HISTORY) + value(()) + value({}) + b'\x92', 'instruction NEWOBJ_EX',
    ),
    'a storage of tensors': (
        many(text('storage'), named('torch.Tensor'), text('0'), text('cpu'), number(4))
        + pickle.BINPERSID, 'no tensor',
    ),
    'a storage of less than nothing': (storage(-1), 'no tensor'),
    'a storage outside the archive': (storage(4, '../../../etc/passwd'), 'corrupt'),
    'a type that is called': (named('torch.float32') + value(()) + pickle.REDUCE, 'calls a dtype'),
    'a size of a number': (call('torch.Size', number(1 << 40)), 'made of a int'),
    'a device of no machine': (call('torch.device', text('net:1')), 'corrupt'),
    'a parameter of a number': (
        call('torch._utils._rebuild_parameter', number(3), pickle.NEWTRUE, pickle.NONE), 'corrupt',
    ),
    'a history of other counts': (
        build(call(HISTORY), value({'_log_history': 1, '_count_history': 2, 'max_length': 3})),
        'history',
    ),
    'a key that is never hashed': (
        pickle.EMPTY_DICT + value(()) + DUP_TUPLE * 90 + pickle.NONE + pickle.SETITEM,
        'key of nested tuples',
    ),
    'more values than there are': (pickle.TUPLE3 * 3, 'corrupt'),
    'a name of many lines': (text('os\n\n') + text('x' * 5000) + b'\x93', r'os\n\n.x'),
}  # fmt: skip
"""What stands beside a weight -> its instructions, what the message says."""

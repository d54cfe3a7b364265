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

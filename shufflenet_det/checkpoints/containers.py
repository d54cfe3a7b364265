"""The two forms of a .pth file: an archive of records, and the older row of pickles."""

from __future__ import annotations

import io
import os
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import torch
from torch import Tensor

from .allowed import TrustedNames
from .rebuild import Storage
from .unpickle import Machine, RefusedError

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
CHUNK = 1 << 22  # bytes
NOT_TORCH = 'not written by torch.save'


@dataclass(frozen=True)
class Pickled:
    """What a file holds.

    Args:
        content: The object that was saved.
        pickle_bytes: Length of its pickle, without the tensors' values.
        file_bytes: Length of the whole file.
    """

    content: object
    pickle_bytes: int
    file_bytes: int


def read_pth(file: BinaryIO) -> Pickled:
    """Read what `torch.save` wrote, on the CPU; checksums of an archive are tested.

    Raises:
        RefusedError: If the file holds what is not read.
        Exception: Of any type, if it is damaged.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    archive = file.read(4) == b'PK\x03\x04'
    file.seek(0)
    content, pickle_bytes = (_read_archive if archive else _read_row)(file, size)
    return Pickled(content, pickle_bytes, size)


def _read_archive(file: BinaryIO, size: int) -> tuple[object, int]:
    with zipfile.ZipFile(file) as archive:
        unpacked = sum(record.file_size for record in archive.infolist())
        if unpacked > size:
            raise RefusedError(
                f'is {size} bytes that unpack to {unpacked}; torch.save compresses nothing: refused'
            )
        roots = [n.removesuffix('data.pkl') for n in archive.namelist() if n.endswith('/data.pkl')]
        if len(roots) != 1:
            raise ValueError(NOT_TORCH)
        (root,) = roots
        if f'{root}byteorder' in archive.namelist():
            _check_order(archive.read(f'{root}byteorder').decode())
        storages: dict[str, Tensor] = {}

        def find(key: str, _: int) -> Tensor:
            if key not in storages:
                record = archive.getinfo(f'{root}data/{key}')
                storages[key] = torch.empty(record.file_size, dtype=torch.uint8)
                with archive.open(record) as source:
                    _fill(storages[key], source)
            return storages[key]

        pickled = archive.read(f'{root}data.pkl')
        return _load(io.BytesIO(pickled), find), len(pickled)


def _read_row(file: BinaryIO, size: int) -> tuple[object, int]:
    storages: dict[str, Tensor] = {}

    def find(key: str, nbytes: int) -> Tensor:
        if key not in storages:
            if nbytes + sum(each.numel() for each in storages.values()) > size:
                raise ValueError('the tensors are larger than the file')
            storages[key] = torch.empty(nbytes, dtype=torch.uint8)
        return storages[key]

    try:
        head = [_load(file), _load(file)]
    except Exception as error:  # whatever stands there
        raise ValueError(NOT_TORCH) from error
    if head != [MAGIC, VERSION]:
        raise ValueError(NOT_TORCH)
    _check_order('little' if _load(file)['little_endian'] else 'big')
    start = file.tell()
    content = _load(file, find)
    pickle_bytes = file.tell() - start
    keys = _load(file)
    if set(keys) != storages.keys():
        raise ValueError('tensors and values do not belong together')
    for key in keys:
        file.read(struct.calcsize('<q'))  # the number of values, known from the pickle
        _fill(storages[key], file)
    return content, pickle_bytes


def _load(file: BinaryIO, find: Callable[[str, int], Tensor] | None = None) -> object:
    """One pickle; ``find`` gives the bytes of a key, of which the pickle says how many."""

    def storage(saved_id: tuple) -> Storage:
        kind, dtype, key, _, count, *view = saved_id
        known = kind == 'storage' and isinstance(dtype, torch.dtype) and isinstance(key, str)
        if not known or type(count) is not int or count < 0 or view not in ([], [None]):
            raise RefusedError('holds a reference that is no tensor: refused')
        nbytes = count * dtype.itemsize
        content = find(key, nbytes)
        if len(content) != nbytes:
            raise ValueError(f'storage {key} has {len(content)} bytes, not {nbytes}')
        return Storage(content.untyped_storage(), dtype)

    return Machine(TrustedNames(), storage).load(file)


def _fill(target: Tensor, source: BinaryIO) -> None:
    """Read as many bytes as the target has; the last ones of a record test its checksum."""
    view, position = memoryview(target.numpy()), 0
    while position < len(view):
        count = source.readinto(view[position : position + CHUNK])
        if not count:
            raise ValueError('the file ends early')
        position += count


def _check_order(order: str) -> None:
    if order != sys.byteorder:
        raise RefusedError(
            f'was written in byte order {order[:20]}, here it is {sys.byteorder}: refused'
        )

"""Values of a checkpoint, made anew out of plain numbers that are checked first."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

from .unpickle import RefusedError, plain_key

MAX_DIMS = 64  # of a torch tensor


@dataclass(frozen=True)
class Storage:
    """The bytes of tensors, and the type that the file gives them."""

    content: torch.UntypedStorage
    dtype: torch.dtype


@dataclass
class NumberType:
    """Stands for a numpy dtype, of which only the code and the byte order are taken."""

    code: str
    order: str = '='

    def numpy(self) -> np.dtype:
        """The type itself, made anew."""
        return np.dtype(self.order + self.code)


def tensor(
    storage: Storage, offset: int, size: tuple, stride: tuple, requires_grad: bool = False,
    hooks: object = None, metadata: object = None,
) -> Tensor:  # fmt: skip
    """A tensor of the type that its storage has."""
    return typed_tensor(
        storage, offset, size, stride, requires_grad, hooks, storage.dtype, metadata
    )


def typed_tensor(
    storage: Storage, offset: int, size: tuple, stride: tuple, requires_grad: bool, hooks: object,
    dtype: torch.dtype, metadata: object = None,
) -> Tensor:  # fmt: skip
    """A tensor whose numbers all lie in its storage."""
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or len(size) > MAX_DIMS or not all(map(_is_count, numbers)):
        raise ValueError(f'a tensor has sizes {size} and strides {stride}'[:200])
    if metadata:
        raise RefusedError('holds a conjugated or negated view; save x.resolve_conj(): refused')
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    available = storage.content.nbytes()
    if 0 not in size and (last + 1) * dtype.itemsize > available:
        raise ValueError(f'a tensor of shape {tuple(size)} reaches beyond its {available} bytes')
    made = torch.empty(0, dtype=dtype).set_(storage.content, offset, size, stride)
    return made.requires_grad_(requires_grad is True)


def parameter(data: Tensor, requires_grad: bool = True, *ignored: object) -> nn.Parameter:
    """A parameter; hooks and attributes are dropped."""
    return nn.Parameter(data, requires_grad is True)


def number_type(code: str, align: object = False, copy: object = True) -> NumberType:
    """A numpy type of numbers, by its code."""
    if not isinstance(code, str) or not re.fullmatch(r'b1|[iu][1248]|f[248]|c(8|16)', code):
        raise RefusedError(
            f'holds numpy values of type {code!r:.50}, only numbers are read: refused'
        )
    return NumberType(code)


def set_byte_order(number_type: NumberType, state: tuple) -> None:
    """Take the byte order, and no address, from the state of a numpy type."""
    if state[1] not in tuple('<>|='):
        raise ValueError(f'a numpy type has byte order {state[1]!r:.50}')
    number_type.order = state[1]


def scalar(number_type: NumberType, content: bytes) -> np.generic:
    """A numpy number."""
    (value,) = np.frombuffer(content, number_type.numpy())
    return value


def set_array(array: np.ndarray, state: tuple) -> None:
    """Fill an empty numpy array."""
    *_, shape, number_type, fortran, content = state
    dtype = number_type.numpy()
    if not all(map(_is_count, shape)) or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f'a numpy array of shape {shape} has {len(content)} bytes'[:200])
    array.__setstate__((1, tuple(shape), dtype, fortran is True, bytes(content)))


def set_history(history: HistoryBuffer, state: Mapping) -> None:
    """Fill an empty history of losses."""
    logs, counts = state['_log_history'], state['_count_history']
    if not _is_count(state['max_length']) or {type(logs), type(counts)} != {np.ndarray}:
        raise ValueError('a history of losses is none')
    history.__init__(logs, counts, state['max_length'])


def set_ordered(ordered: OrderedDict, state: Mapping) -> None:
    """Versions of the modules, which a state_dict carries as an attribute; others are dropped."""
    versions = state.get('_metadata')
    if isinstance(versions, dict):
        ordered._metadata = {
            name: entry
            for name, entry in versions.items()
            if isinstance(entry, dict) and type(entry.get('version', 0)) is int
        }


def encoded(text: str, encoding: str) -> bytes:
    """Bytes, which pickle protocol 2 writes as text."""
    if encoding != 'latin1':
        raise RefusedError(f'holds bytes in the encoding {encoding!r:.50}: refused')
    return text.encode(encoding)


def filled(kind: type, *sources: type) -> Callable[..., object]:
    """Makes an empty container, or one out of a value of the given types."""

    def make(source: object = ()) -> object:
        if type(source) not in (tuple, *sources):
            raise ValueError(f'a {kind.__name__} is made of a {type(source).__name__}')
        return kind(source)

    return make


def ordered(items: list = ()) -> OrderedDict:
    """As Python 2 and 3 write it: with its items, or empty."""
    return OrderedDict((plain_key(key), value) for key, value in items)


def plain_set(items: list = ()) -> set:
    """A set of plain keys."""
    return set(map(plain_key, items))


def only_named(*arguments: object) -> None:
    """Stands for types that are arguments only."""
    raise RefusedError('calls a type that files only name: refused')


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0

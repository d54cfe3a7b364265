"""The allow-list of checkpoint files: every name that they may hold, and what stands for it.

No name gives a function or class of the process: tensors, arrays and histories are made here out of
plain numbers that were checked first. Only what the user allowed by
`torch.serialization.add_safe_globals` is called as it is.
"""

from __future__ import annotations

import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

from .unpickle import Names, RefusedError, plain_key

MAX_DIMS = 64  # of a torch tensor


@dataclass(frozen=True)
class Allowed:
    """Stands in a pickle for one name of :data:`CALLS`."""

    name: str

    def __call__(self, *arguments: object) -> object:
        return CALLS[self.name](*arguments)


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


class TrustedNames(Names):
    """What the names in one pickle mean: the tables below, then what the user allowed."""

    def __init__(self) -> None:
        listed = [
            each if isinstance(each, tuple) else (each, f'{each.__module__}.{each.__qualname__}')
            for each in torch.serialization.get_safe_globals()
        ]
        self.users = {name: thing for thing, name in listed if not _is_torchs(thing, name)}

    def find(self, name: str) -> object:
        if name in CALLS:
            return Allowed(name)
        if name in VALUES:
            return VALUES[name]
        if name in self.users:
            return self.users[name]
        if name in UNSUPPORTED:
            raise RefusedError(f'holds {UNSUPPORTED[name]}: refused')
        raise RefusedError(
            f'holds the Python object {ascii(name[:100])[1:-1]}, which loading would execute: '
            'refused. Save only the state_dict in the project that wrote the file'
        )

    def call(self, function: object, arguments: tuple) -> object:
        if not isinstance(function, Allowed) and not self._is_users(function):
            raise RefusedError(f'calls a {type(function).__name__}: refused')
        return function(*arguments)

    def new(self, kind: object, arguments: tuple) -> object:
        if isinstance(kind, type) and self._is_users(kind):
            return kind.__new__(kind, *arguments)
        return self.call(kind, arguments)

    def build(self, instance: object, state: object) -> None:
        if type(instance) in STATES:
            STATES[type(instance)](instance, state)
        elif self._is_users(type(instance)) and not isinstance(instance, NUMPY):
            _set_state(instance, state)
        else:
            raise RefusedError(f'gives a {type(instance).__name__} another state: refused')

    def _is_users(self, thing: object) -> bool:
        return any(thing is each for each in self.users.values())


TORCHS = re.compile(r'(os|sys|posix|nt|traceback|torch\.(distributed|nested|_dynamo))\.')
"""Modules that torch never reads from, and those that it allows for itself."""


def _is_torchs(thing: object, name: str) -> bool:
    """Whether an entry of torch's list is no wish of the user."""
    exception = isinstance(thing, type) and issubclass(thing, BaseException)
    return exception or TORCHS.match(name) is not None


NUMPY = (np.dtype, np.generic, np.ndarray)
"""Types that take addresses from their state."""


def _set_state(instance: object, state: object) -> None:
    """As pickle does for an object of a type that the user allowed."""
    if hasattr(instance, '__setstate__'):
        instance.__setstate__(state)
        return
    own, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    for key, value in {**(own or {}), **(slots or {})}.items():
        object.__setattr__(instance, key, value)


def _tensor(
    storage: Storage, offset: int, size: tuple, stride: tuple, requires_grad: bool = False,
    hooks: object = None, metadata: object = None,
) -> Tensor:  # fmt: skip
    return _typed_tensor(
        storage, offset, size, stride, requires_grad, hooks, storage.dtype, metadata
    )


def _typed_tensor(
    storage: Storage, offset: int, size: tuple, stride: tuple, requires_grad: bool, hooks: object,
    dtype: torch.dtype, metadata: object = None,
) -> Tensor:  # fmt: skip
    """A tensor on a storage, whose numbers all lie in it."""
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


def _parameter(data: Tensor, requires_grad: bool = True, *ignored: object) -> nn.Parameter:
    return nn.Parameter(data, requires_grad is True)


def _of_type(function: Allowed, kind: Allowed, arguments: tuple, state: object) -> Tensor:
    """A tensor that had attributes; they are dropped."""
    if not isinstance(function, Allowed) or kind not in TENSOR_TYPES:
        raise RefusedError('holds a tensor of a class of its own: refused')
    return function(*arguments)


def _number_type(code: str, align: object = False, copy: object = True) -> NumberType:
    if not isinstance(code, str) or not re.fullmatch(r'b1|[iu][1248]|f[248]|c(8|16)', code):
        raise RefusedError(
            f'holds numpy values of type {code!r:.50}, only numbers are read: refused'
        )
    return NumberType(code)


def _set_byte_order(number_type: NumberType, state: tuple) -> None:
    if state[1] not in tuple('<>|='):
        raise ValueError(f'a numpy type has byte order {state[1]!r:.50}')
    number_type.order = state[1]


def _scalar(number_type: NumberType, content: bytes) -> np.generic:
    (value,) = np.frombuffer(content, number_type.numpy())
    return value


def _set_array(array: np.ndarray, state: tuple) -> None:
    *_, shape, number_type, fortran, content = state
    dtype = number_type.numpy()
    if not all(map(_is_count, shape)) or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f'a numpy array of shape {shape} has {len(content)} bytes'[:200])
    array.__setstate__((1, tuple(shape), dtype, fortran is True, bytes(content)))


def _set_history(history: HistoryBuffer, state: Mapping) -> None:
    logs, counts = state['_log_history'], state['_count_history']
    if not _is_count(state['max_length']) or {type(logs), type(counts)} != {np.ndarray}:
        raise ValueError('a history of losses is none')
    history.__init__(logs, counts, state['max_length'])


def _statistic(owner: Allowed, name: str) -> Allowed:
    """Stands for `getattr`, through which a history refers to its class's own methods."""
    if owner != Allowed(HISTORY) or name not in ('min', 'max', 'current', 'mean'):
        raise RefusedError(f'asks for the attribute {name!r:.50} of an object: refused')
    return owner


def _set_ordered(ordered: OrderedDict, state: Mapping) -> None:
    """Versions of the modules, which a state_dict carries as an attribute."""
    if isinstance(state.get('_metadata'), dict):
        ordered._metadata = state['_metadata']


def _encoded(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise RefusedError(f'holds bytes in the encoding {encoding!r:.50}: refused')
    return text.encode(encoding)


def _filled(kind: type, *sources: type) -> Callable[..., object]:
    """Makes an empty container, or one out of a value of the given types."""

    def make(source: object = ()) -> object:
        if type(source) not in (tuple, *sources):
            raise ValueError(f'a {kind.__name__} is made of a {type(source).__name__}')
        return kind(source)

    return make


def _ordered(items: list = ()) -> OrderedDict:
    """As Python 2 and 3 write it: with its items, or empty."""
    return OrderedDict((plain_key(key), value) for key, value in items)


def _set(items: list = ()) -> set:
    return set(map(plain_key, items))


def _only_named(*arguments: object) -> None:
    raise RefusedError('calls a type that files only name: refused')


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


HISTORY = 'mmengine.logging.history_buffer.HistoryBuffer'

CALLS: dict[str, Callable] = {
    'collections.OrderedDict': _ordered,
    'collections.Counter': _filled(Counter, dict),
    'builtins.set': _set,
    'builtins.bytearray': _filled(bytearray, bytes),
    'builtins.bytes': _filled(bytes),  # empty ones
    'builtins.complex': complex,
    'builtins.getattr': _statistic,
    '_codecs.encode': _encoded,
    'torch.Size': _filled(torch.Size, list),
    'torch.device': torch.device,
    'torch._utils._rebuild_tensor': _tensor,
    'torch._utils._rebuild_tensor_v2': _tensor,
    'torch._utils._rebuild_tensor_v3': _typed_tensor,
    'torch._utils._rebuild_parameter': _parameter,
    'torch._utils._rebuild_parameter_with_state': _parameter,
    'torch._tensor._rebuild_from_type_v2': _of_type,
    'torch.nn.parameter.Parameter': _parameter,
    'torch.Tensor': _only_named,
    'numpy.dtype': _number_type,
    'numpy.ndarray': _only_named,
    HISTORY: lambda: HistoryBuffer(),
    **{
        f'numpy.{core}.multiarray.{name}': make
        for core in ('core', '_core')  # numpy 1 and 2
        for name, make in (
            ('scalar', _scalar), ('_reconstruct', lambda *ignored: np.empty(0)),
        )
    },
}  # fmt: skip
"""Name -> function that makes what a call of it stands for."""

TENSOR_TYPES = (Allowed('torch.Tensor'), Allowed('torch.nn.parameter.Parameter'))

STORAGE_TYPES = {
    'Float': torch.float32, 'Double': torch.float64, 'Half': torch.float16,
    'BFloat16': torch.bfloat16, 'Long': torch.int64, 'Int': torch.int32, 'Short': torch.int16,
    'Char': torch.int8, 'Byte': torch.uint8, 'Bool': torch.bool, 'ComplexFloat': torch.complex64,
    'ComplexDouble': torch.complex128,
}  # fmt: skip

VALUES: dict[str, object] = {
    **{str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)},
    **{
        f'{module}.{name}Storage': dtype
        for module in ('torch', 'torch.cuda')
        for name, dtype in STORAGE_TYPES.items()
    },
    'torch.storage.UntypedStorage': torch.uint8,
}
"""Name -> value."""

STATES: dict[type, Callable] = {
    OrderedDict: _set_ordered,
    NumberType: _set_byte_order,
    np.ndarray: _set_array,
    HistoryBuffer: _set_history,
}
"""Type -> function that takes the state of an object of it from the file."""

UNSUPPORTED = {
    'torch._utils._rebuild_sparse_tensor': 'a sparse tensor; save x.to_dense()',
    'torch._utils._rebuild_qtensor': 'a quantised tensor; save x.dequantize()',
    'torch._utils._rebuild_meta_tensor_no_storage': 'a tensor without values (device meta)',
    'torch._utils._rebuild_nested_tensor': 'a nested tensor; save its parts',
}
"""Name of torch -> what it would make."""

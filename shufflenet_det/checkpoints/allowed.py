"""The allow-list of checkpoint files: every name that they may hold, and what stands for it.

No name gives a function or class of the process: module `rebuild` makes the values. Only what the
user allowed by `torch.serialization.add_safe_globals` is called as it is.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from . import rebuild
from .unpickle import Names, RefusedError


@dataclass(frozen=True)
class Allowed:
    """Stands in a pickle for one name of :data:`CALLS`."""

    name: str

    def __call__(self, *arguments: object) -> object:
        return CALLS[self.name](*arguments)


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


def _of_type(function: Allowed, kind: Allowed, arguments: tuple, state: object) -> Tensor:
    """A tensor that had attributes; they are dropped."""
    if not isinstance(function, Allowed) or kind not in TENSOR_TYPES:
        raise RefusedError('holds a tensor of a class of its own: refused')
    return function(*arguments)


def _statistic(owner: Allowed, name: str) -> Allowed:
    """Stands for `getattr`, through which a history refers to its class's own methods."""
    if owner != Allowed(HISTORY) or name not in ('min', 'max', 'current', 'mean'):
        raise RefusedError(f'asks for the attribute {name!r:.50} of an object: refused')
    return owner


HISTORY = 'mmengine.logging.history_buffer.HistoryBuffer'

CALLS: dict[str, Callable] = {
    'collections.OrderedDict': rebuild.ordered,
    'collections.Counter': rebuild.filled(Counter, dict),
    'builtins.set': rebuild.plain_set,
    'builtins.bytearray': rebuild.filled(bytearray, bytes),
    'builtins.bytes': rebuild.filled(bytes),  # empty ones
    'builtins.complex': complex,
    'builtins.getattr': _statistic,
    '_codecs.encode': rebuild.encoded,
    'torch.Size': rebuild.filled(torch.Size, list),
    'torch.device': torch.device,
    'torch._utils._rebuild_tensor': rebuild.tensor,
    'torch._utils._rebuild_tensor_v2': rebuild.tensor,
    'torch._utils._rebuild_tensor_v3': rebuild.typed_tensor,
    'torch._utils._rebuild_parameter': rebuild.parameter,
    'torch._utils._rebuild_parameter_with_state': rebuild.parameter,
    'torch._tensor._rebuild_from_type_v2': _of_type,
    'torch.nn.parameter.Parameter': rebuild.parameter,
    'torch.Tensor': rebuild.only_named,
    'numpy.dtype': rebuild.number_type,
    'numpy.ndarray': rebuild.only_named,
    HISTORY: lambda: HistoryBuffer(),
    **{
        f'numpy.{core}.multiarray.{name}': make
        for core in ('core', '_core')  # numpy 1 and 2
        for name, make in (
            ('scalar', rebuild.scalar), ('_reconstruct', lambda *ignored: np.empty(0)),
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
    # a key among the callbacks of Lightning before 1.5, as in NanoDet-Plus's published files
    'pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint': 'ModelCheckpoint',
}
"""Name -> value."""

STATES: dict[type, Callable] = {
    OrderedDict: rebuild.set_ordered,
    rebuild.NumberType: rebuild.set_byte_order,
    np.ndarray: rebuild.set_array,
    HistoryBuffer: rebuild.set_history,
}
"""Type -> function that takes the state of an object of it from the file."""

UNSUPPORTED = {
    'torch._utils._rebuild_sparse_tensor': 'a sparse tensor; save x.to_dense()',
    'torch._utils._rebuild_qtensor': 'a quantised tensor; save x.dequantize()',
    'torch._utils._rebuild_meta_tensor_no_storage': 'a tensor without values (device meta)',
    'torch._utils._rebuild_nested_tensor': 'a nested tensor; save its parts',
}
"""Name of torch -> what it would make."""

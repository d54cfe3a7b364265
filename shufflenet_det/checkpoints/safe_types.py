"""Lets torch >= 2.6 load mmengine's checkpoints with `weights_only` kept on."""

from collections.abc import Callable
from pickle import UnpicklingError

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version

STATISTICS = ('min', 'max', 'current', 'mean')  # the methods that every HistoryBuffer pickles


def allow_mmengine_types() -> None:
    """Allow-list what mmengine's Runner saves besides tensors: loss histories and numpy numbers.

    Nothing else is allowed: a checkpoint that names any other type is still refused. Checkpoints
    of numpy 1 and 2, which name the same functions differently, are both read. No effect before
    torch 2.6, where `weights_only` is not the default.
    """
    if digit_version(torch.__version__) < digit_version('2.6'):
        return
    # The functions that pickle calls, taken from numpy's own pickles: their home has moved.
    rebuild = dict(_reconstruct=np.zeros(1).__reduce__()[0], scalar=np.float64(0).__reduce__()[0])
    numpy_functions = [
        (function, f'numpy.{core}.multiarray.{name}')
        for name, function in rebuild.items()
        for core in ('core', '_core')
    ]
    number_types = {type(np.dtype(code)) for code in np.typecodes['AllInteger'] + '?efd'}
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            np.ndarray,
            np.dtype,
            *number_types,
            *numpy_functions,
            (_history_method, 'builtins.getattr'),
        ]
    )


def _history_method(owner: type, name: str) -> Callable:
    """Stands for `getattr`, through which pickle refers to HistoryBuffer's methods."""
    if owner is not HistoryBuffer or name not in STATISTICS:
        raise UnpicklingError(
            f'the file asks for attribute {name!r} of {owner!r}; allowed are '
            f'{STATISTICS} of {HistoryBuffer.__name__}'
        )
    return getattr(owner, name)

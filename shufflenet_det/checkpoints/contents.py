"""What a checkpoint may look like once it is read: a finite tree of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .containers import Pickled
from .layouts import flatten
from .unpickle import RefusedError

MAX_DEPTH = 100
MAX_NAMES = 10
"""Letters of all dotted names for each byte of the pickle."""

MAX_GROWTH = 4
"""Bytes of all tensors for each byte of the file: weights may be shared, not multiplied."""

CONTAINERS = (list, tuple, set, frozenset)


class _Size(NamedTuple):
    """Of a value with all that is in it, as if nothing were shared.

    Args:
        entries: Values in it, and itself.
        levels: Containers in containers.
        letters: Of the dotted names of all entries.
    """

    entries: int = 1
    levels: int = 0
    letters: int = 0


class _Tree:
    """Sizes of all containers, each looked into once however often it is shared."""

    def __init__(self) -> None:
        self.tensors: dict[int, Tensor] = {}
        self._known: dict[int, _Size] = {}
        self._open: set[int] = set()

    def measure(self, value: object, depth: int = 0) -> _Size:
        """The size of a value at some depth.

        Raises:
            RefusedError: If it contains itself, or is nested too deeply.
        """
        if isinstance(value, Tensor):
            self.tensors[id(value)] = value
        inside = _inside(value)
        if inside is None:
            return _Size()
        if id(value) in self._open:
            raise RefusedError('holds a container that contains itself: refused')
        if depth < MAX_DEPTH and id(value) not in self._known:
            self._open.add(id(value))
            parts = [(len(str(key)) + 1, self.measure(each, depth + 1)) for key, each in inside]
            self._open.remove(id(value))
            self._known[id(value)] = _Size(
                1 + sum(size.entries for _, size in parts),
                1 + max((size.levels for _, size in parts), default=0),
                sum(size.letters + size.entries * length for length, size in parts),
            )
        size = self._known.get(id(value), _Size(levels=MAX_DEPTH))
        if depth + size.levels > MAX_DEPTH:
            raise RefusedError(f'is nested more than {MAX_DEPTH} levels deep: refused')
        return size


def _inside(value: object) -> Iterable[tuple[object, object]] | None:
    if isinstance(value, Mapping):
        return value.items()
    return (('', each) for each in value) if isinstance(value, CONTAINERS) else None


def check_size(pickled: Pickled) -> None:
    """Whatever is done with the content needs no more memory than a file of its size is worth.

    Raises:
        RefusedError: Naming what is too large, too deep or without end.
    """
    tree = _Tree()
    size = tree.measure(pickled.content)
    if size.entries > pickled.pickle_bytes or size.letters > MAX_NAMES * pickled.pickle_bytes:
        raise RefusedError(f'comes to {size.entries} entries by sharing containers: refused')
    total = sum(map(_nbytes, tree.tensors.values()))
    if total > MAX_GROWTH * pickled.file_bytes:
        largest = max(tree.tensors.values(), key=_nbytes)
        raise RefusedError(
            f'is {pickled.file_bytes} bytes and comes to {total} by expanded tensors, one of shape '
            f'{tuple(largest.shape)}: refused; save x.clone()'
        )


def _nbytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def named_tensors(content: object) -> dict[str, Tensor]:
    """All tensors under dotted names.

    Raises:
        RefusedError: If there is none, or if one holds NaN or infinite values.
    """
    tensors = flatten(content) if isinstance(content, Mapping) else {}
    if not tensors:
        raise RefusedError(
            f'holds a {type(content).__name__} without named tensors; save a state_dict, a dict '
            'name -> tensor'
        )
    bad = [key for key, value in tensors.items() if not _is_finite(value)]
    if bad:
        raise RefusedError(
            f'corrupt checkpoint: NaN or infinite values in {len(bad)} tensors, such as '
            f'{bad[:5]}; use an earlier checkpoint of that training'
        )
    return tensors


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() and not tensor.is_complex():
        return True
    if tensor.element_size() == 1:  # float8 knows no isfinite
        tensor = tensor.float()
    return bool(torch.isfinite(tensor).all())

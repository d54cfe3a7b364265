"""What a load did, in one form for backbones and whole models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COUNTER = 'num_batches_tracked'
"""BN's step counter: loaded where it is there, never counted."""


@dataclass(frozen=True)
class LeftOut:
    """Tensors of the file under one prefix that were not loaded."""

    where: str
    count: int
    reason: str


@dataclass(frozen=True)
class LoadReport:
    """What a load did; BN's ``num_batches_tracked`` is not counted.

    Args:
        source: Path or URL.
        layout: A name of ``naming.LAYOUTS``; '' for a whole model under its own names.
        prefix: Wrappers and prefixes in front of the keys.
        loaded: Tensors of the module that were loaded.
        total: Tensors of the module.
        left_out: Tensors of the file that were not loaded.
        missing: Names of the module's tensors that the file lacks.
        note: What a user of these weights has to set.
    """

    source: str
    layout: str
    prefix: str
    loaded: int
    total: int
    left_out: tuple[LeftOut, ...]
    missing: tuple[str, ...]
    note: str = ''

    def __str__(self) -> str:
        layout = f' ({self.layout})' if self.layout else ''
        lines = [f'loaded {self.loaded} of {self.total} tensors from {self.source}{layout}']
        lines += [f'  left out {x.where}: {x.count} tensors, {x.reason}' for x in self.left_out]
        if self.missing:
            lines.append(
                f'  not in the file, kept as initialised: {len(self.missing)} tensors, '
                f'{some(self.missing)}'
            )
        if self.note:
            lines.append(f'  {self.note}')
        return '\n'.join(lines)


def check_types(given: Mapping, wanted: Mapping, source: str) -> None:
    """Refuse tensors of integers or flags for weights: copying makes numbers of them in silence.

    Args:
        given, wanted: Name -> tensor, of the file and of the module.

    Raises:
        ValueError: Naming the first of them.
    """
    wrong = [
        f'{key} {given[key].dtype}'
        for key, tensor in wanted.items()
        if key in given and tensor.is_floating_point() and not given[key].is_floating_point()
    ]
    if wrong:
        raise ValueError(
            f'{source}: {len(wrong)} weights are no floating-point numbers: '
            f'{", ".join(wrong[:3])}; save them as float32'
        )


def some(keys: Sequence[str]) -> str:
    """The first names of many."""
    return ', '.join(keys[:4]) + (', ...' if len(keys) > 4 else '')

"""The parts of a config, however deep they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def nodes(part: object) -> Iterator[Mapping]:
    """Every mapping in a part of a config, itself first."""
    if isinstance(part, Mapping):
        yield part
        for value in part.values():
            yield from nodes(value)
    elif isinstance(part, (list, tuple)):
        for value in part:
            yield from nodes(value)

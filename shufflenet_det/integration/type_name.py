"""Names of what configs build, in all styles of MMEngine's configs."""

from __future__ import annotations

from collections.abc import Mapping


def type_name(config: Mapping) -> str:
    """The name in a config's ``type``: a name with or without scope or module, or a class."""
    kind = config.get('type', '')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
    return name.rpartition('.')[2]

"""Numbers and ids as annotation files write them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping


def number(value: object) -> float | None:
    """A number, written as one or as text; None for anything else, infinity beyond float64."""
    if isinstance(value, str) and '_' not in value:  # Python reads 1_0 as 10
        try:
            return float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return value


def whole(value: object) -> int | None:
    """An integer, written as one, as a float without fraction or as text; None otherwise."""
    if type(value) is int:
        return value
    found = number(value)
    return int(found) if found is not None and math.isfinite(found) and found % 1 == 0 else None


def identifier(value: object) -> int | str | None:
    """An id: an integer or text; None for anything else."""
    return (value or None) if isinstance(value, str) else whole(value)


def integer_of(text: str) -> int | None:
    """The integer that an id of text spells, without zeros in front; None for other text."""
    digits = text.removeprefix('-')
    plain = digits.isascii() and digits.isdigit() and len(digits) <= 18
    return int(text) if plain and str(int(text)) == text else None


def class_name(text: str) -> str:
    """A name without spaces around it and in Unicode's composed form, as two spellings look one."""
    return unicodedata.normalize('NFC', text.strip())


def is_finite(value: float | None) -> bool:
    """Whether :func:`number` gave a finite number."""
    return value is not None and math.isfinite(value)


def is_written_so(entry: Mapping, values: Mapping[str, object]) -> bool:
    """Whether an entry holds these values already, of these types."""
    return all(
        key in entry and entry[key] == value and type(entry[key]) is type(value)
        for key, value in values.items()
    )

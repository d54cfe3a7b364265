"""Rules for the fields of what a file says of itself: JSON of strangers, checked field by field."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from numbers import Integral

SHOWN = 80
"""Characters of a wrong value that a message repeats."""
LARGEST = 3.4e38
"""Number that single precision holds."""

Rule = tuple[Callable[[object], bool], str]
"""Whether a value is allowed, and what is, in words."""


def check(values: Mapping, rules: Mapping[str, Rule], prefix: str = '') -> None:
    """Refuse a field that is missing or breaks its rule.

    Raises:
        ValueError: Naming the field behind the prefix, what it is and what is allowed.
    """
    for name, (allows, allowed) in rules.items():
        if name not in values:
            raise ValueError(f'{prefix}{name} is missing')
        if not allows(values[name]):
            raise ValueError(f'{prefix}{name} is {shown(values[name])}, allowed is {allowed}')


def refuse_unknown(values: Mapping, allowed: Collection[str], prefix: str = '') -> None:
    """Refuse a field that this version does not know.

    Raises:
        ValueError: Naming it.
    """
    if unknown := sorted(set(values) - set(allowed)):
        raise ValueError(
            f'{prefix}{unknown[0][:SHOWN]} is not known, allowed are {", ".join(allowed)}; a newer '
            'version of shufflenet_det may know it'
        )


def shown(value: object) -> str:
    """A wrong value as a message repeats it."""
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= SHOWN else f'{text[:SHOWN]}...'


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Refuse an option that is no whole number of a range; NumPy's are whole numbers, too.

    Raises:
        ValueError: Naming it.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        raise ValueError(f'{name} is {shown(value)}, allowed is {least} to {most}')


def is_int(value: object) -> bool:
    """Whether it is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object, above: float = -math.inf) -> bool:
    """Whether it is a number above a limit, finite in single precision."""
    number = is_int(value) or isinstance(value, float)
    return number and above < value and abs(value) <= LARGEST


def are_numbers(value: object, count: int, above: float = -math.inf) -> bool:
    """Whether it is a list of so many finite numbers above a limit."""
    listed = isinstance(value, list | tuple) and len(value) == count
    return listed and all(is_number(x, above) for x in value)


def one_of(allowed: object) -> Rule:
    """A text out of some."""
    return (lambda value: isinstance(value, str) and value in allowed), f'one of {list(allowed)}'


BOOL: Rule = (lambda value: isinstance(value, bool)), 'true or false'
OBJECT: Rule = (lambda value: isinstance(value, dict)), 'an object'


def up_to(most: int) -> Rule:
    """A whole number above 0."""
    return (lambda value: is_int(value) and 0 < value <= most), f'1 to {most}'

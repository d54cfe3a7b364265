"""Errors as results hold them."""

from __future__ import annotations

import re

PLACES = re.compile(r'\w+://[^\s\'"]+|(?<![\w.])/(?:[^\s\'"/:]+/)+')
"""Addresses, and folders of one machine, which no record should hold."""


def line_of(error: Exception) -> str:
    """An error in one line, without places."""
    return without_places(f'{type(error).__name__}: {error}')


def without_places(text: str) -> str:
    """The text in one line."""
    text = PLACES.sub(lambda found: '(address)' * ('://' in found[0]), text)
    return ' '.join(text.split())[:300]

"""What a swap says about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """One field of a config that the swap set, or what the new backbone does in another way.

    Args:
        path: The field.
        before, after: Its values; None stands for a field that is not there.
        reason: Why, where the values do not say it.
    """

    path: str
    before: object
    after: object
    reason: str = ''

    def __str__(self) -> str:
        reason = f' ({self.reason})' if self.reason else ''
        return f'{self.path}: {self.before!r} -> {self.after!r}{reason}'

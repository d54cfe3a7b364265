"""Figures of MMDetection's zoo."""

from __future__ import annotations

from .records import Figure, Records


def swaps(records: Records) -> str:
    """How many models are swapped, and in how many of them something is silent."""
    rows = records['zoo_swaps']['rows']
    written = [row for row in rows if row['result'] == 'written']
    compared = [row for row in written if row['silent'] is not None]
    silent = sum(bool(row['silent']) for row in compared)
    return (
        f'{len(written)} of {len(rows)} models are swapped; of the {len(compared)} that were '
        f'compared, {silent or "none"} changed in one of these without a word'
    )


FIGURES: dict[str, Figure] = {'zoo-swaps': swaps}
"""Name -> what makes it."""

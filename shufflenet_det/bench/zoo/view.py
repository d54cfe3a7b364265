"""How the record of MMDetection's zoo is shown: counts, and every failure with its cause."""

from __future__ import annotations

from collections.abc import Mapping

from shufflenet_det.bench.tables import Table

STEPS = ('built', 'trains', 'predicts')


def tables(result: Mapping) -> list[Table]:
    """Counts of folders, and what failed."""
    rows = result['rows']
    kinds = {'as it is': False, 'our backbone': True}
    of = {name: [row for row in rows if row['swapped'] == on] for name, on in kinds.items()}
    counts = tuple(
        (name, len(some), *(sum(row[step] for row in some) for step in STEPS),
         sum(all(row[step] for step in STEPS) for row in some))
        for name, some in of.items()
    )  # fmt: skip
    failed = tuple(
        (row['folder'], row['config'], 'our backbone' if row['swapped'] else 'as it is',
         *('yes' if row[step] else 'no' for step in STEPS), row['cause'].replace('|', '/'))
        for row in rows if row['cause']
    )  # fmt: skip
    what = 'one config of each folder of MMDetection, random weights, made-up pictures'
    return [
        Table('counts', f'{what.capitalize()}.', ('', 'folders', *STEPS, 'all three'), counts),
        Table('failures', 'What did not get through, and why.',
              ('folder', 'config', '', *STEPS, 'cause'), failed),
    ]  # fmt: skip

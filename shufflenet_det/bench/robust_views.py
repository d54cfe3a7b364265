"""How the results of shufflenet_det.training are shown as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from .tables import Table


def overhead_tables(result: Mapping) -> Iterator[Table]:
    """What the protections cost, beside what two plain iterations differ by."""
    yield Table(
        'overhead', 'CPU time of a training iteration with its data, plain and under '
        'ProtectionHook, in turns on the same batch: medians over the rounds, in brackets their '
        '95 % intervals. The control compares two plain iterations.',
        ('config', 'input', 'batch', 'rounds', 'plain ms', 'p10', 'p90', 'protected ms',
         'overhead, %', 'control, %'),
        tuple(
            (row['config'], 'x'.join(map(str, row['size'])), row['batch'], row['rounds'],
             row['plain_ms'], row['plain_p10_ms'], row['plain_p90_ms'], row['protected_ms'],
             _interval(row['overhead']), _interval(row['control']))
            for row in result['rows']
        ),
    )  # fmt: skip


def _interval(difference: Mapping) -> str:
    return '{percent:+.2f} ({low:+.2f} to {high:+.2f})'.format(**difference)


def drill_tables(result: Mapping) -> Iterator[Table]:
    """Faults handled for each row of the drill, and every fault with its message."""
    rows = defaultdict(list)
    for outcome in result['outcomes']:
        rows[outcome['row']].append(outcome)
    yield Table(
        'rows', f'The {result["length"]} fault drill: {result["tried"]} faults tried, '
        f'{result["handled"]} handled; {result["fuzzed"]:,} inputs fuzzed.',
        ('row', 'faults', 'tried', 'handled', 'inputs fuzzed', 's'),
        tuple(
            (str(row), '; '.join(o['name'] for o in outcomes), len(outcomes),
             sum(o['handled'] for o in outcomes),
             sum(sum(o['inputs'].values()) for o in outcomes),
             sum(o['seconds'] for o in outcomes))
            for row, outcomes in sorted(rows.items())
        ),
    )  # fmt: skip
    yield Table(
        'messages', 'What each fault of the drill ended with.',
        ('row', 'fault', 'handled', 'message'),
        tuple(
            (str(o['row']), o['name'], 'yes' if o['handled'] else 'NO', o['message'])
            for o in result['outcomes']
        ),
    )  # fmt: skip

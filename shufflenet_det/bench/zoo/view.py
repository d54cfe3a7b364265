"""How the record of MMDetection's zoo is shown: counts, and every failure with its cause."""

from __future__ import annotations

from collections.abc import Mapping

from shufflenet_det.bench.tables import Table

STEPS = ('built', 'trains', 'predicts')
LOST = {
    'norm_cfg': 'normalisation other than BN, or none',
    'eps': 'epsilon of BN, which belongs to the weights',
    'dilation': 'dilated convs inside a stage',
    'init_cfg': 'weights of the whole detector in the model',
    'load_from': 'weights of the whole detector in load_from',
    'custom_keys': 'keys of the optimiser that name parts of the old backbone',
    'constructor': 'learning rates by layers of the old backbone',
}
"""Last name of a field that a swap cannot keep -> what is lost, and said."""


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


def swap_tables(result: Mapping) -> list[Table]:
    """Counts of swapped models, what was silent, what was said, and each refusal with its cause."""
    rows = result['rows']
    of = {name: [row for row in rows if row['result'] == name]
          for name in ('written', 'refused', 'unreadable')}  # fmt: skip
    compared = [row for row in of['written'] if row['silent'] is not None]
    silent = tuple((row['config'], '; '.join(row['silent'])) for row in compared if row['silent'])
    files = sum(1 + len(row['same']) for row in rows)
    causes: dict[str, list[str]] = {}
    for row in rows:
        if row['cause']:
            causes.setdefault(row['cause'].replace('|', '/'), []).append(row['config'])
    lost = tuple((text, sum(name in row['said'] for row in of['written']))
                 for name, text in LOST.items())  # fmt: skip
    return [
        Table('counts', "All models of MMDetection's configs with our backbone, built and compared "
              'with themselves before.',
              ('config files', 'models', *of, 'compared', 'silent changes'),
              ((files, len(rows), *map(len, of.values()), len(compared), len(silent)),)),
        Table('said', 'What a swap cannot keep, and says.', ('', 'models'), lost),
        Table('refused', 'Models that are not swapped or not compared, and why.',
              ('models', 'such as', 'cause'),
              tuple((len(names), names[0], cause) for cause, names in causes.items())),
        *([Table('silent', 'What a swap changed without a word.', ('config', 'changes'), silent)]
          if silent else []),
    ]  # fmt: skip

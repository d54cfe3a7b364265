"""Seeded mutations of files and numbers: refused by a Python error, or what was loaded is right."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from .case import Lab, confirm
from .processes import run

SHORT, LONG = 50, 550
"""Inputs of each kind; of trainings a tenth."""

LIMIT = 1800.0
"""Seconds for all inputs of a kind."""

REFUSED, READ = 'refused', 'read and right'


def mutate_bytes(rng: Generator, content: bytes) -> bytes:
    """Flip, cut out, repeat, blank or cut off a random part; one in six is left as it is."""
    start, length = int(rng.integers(len(content))), int(rng.integers(1, 64))
    end = min(len(content), start + length)
    part = content[start:end]
    middle = [
        bytes([part[0] ^ (1 << int(rng.integers(8)))]) + part[1:], b'', part * 2, bytes(len(part)),
    ]  # fmt: skip
    choice = int(rng.integers(6))
    if choice >= 4:
        return content[:start] if choice == 4 else content
    return content[:start] + middle[choice] + content[end:]


def leaves(node: object, wanted: Callable[[object], bool], path: tuple = ()) -> list[tuple]:
    """Paths of the leaves of nested dicts and lists."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, value in items:
        if isinstance(value, (dict, list)):
            found += leaves(value, wanted, (*path, key))
        if wanted(value):
            found.append((*path, key))
    return found


def replace(node: object, path: tuple, value: object) -> None:
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def fuzz(lab: Lab, kind: str, one: Callable[[Generator], str], share: int = 1) -> str:
    """Run ``one`` many times in a process of its own, so that a crash is seen as one."""
    count = -(-(SHORT if lab.short else LONG) // share)
    report = lab.folder / 'report.json'

    def target() -> None:
        counts = Counter()
        for seed in range(count):
            (lab.folder / 'seed').write_text(str(seed))
            counts[one(np.random.default_rng(seed))] += 1
        report.write_text(json.dumps(counts))

    ended = run(target, lab.folder / 'log', limit=LIMIT)
    seed = (lab.folder / 'seed').read_text() if (lab.folder / 'seed').exists() else 'none'
    confirm(ended.code == 0, f'{kind}, seed {seed}, exit {ended.code}: {ended.last_error}')
    counts = json.loads(report.read_text())
    confirm(counts.get(REFUSED) and counts.get(READ), f'{counts}: nothing was tried')
    lab.inputs.update(counts)
    return f'{count} {kind}: ' + ', '.join(f'{number} {what}' for what, number in counts.items())

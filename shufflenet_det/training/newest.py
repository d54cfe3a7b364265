"""Which checkpoint a resumed training goes on from."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmengine.logging import print_log

from shufflenet_det.checkpoints import read_checkpoint

from .verified_loading import lacking

INTERRUPTED = 'interrupted.pth'
DIGITS = re.compile(r'\d+')


def newest_intact(*folders: str | Path) -> str | None:
    """The checkpoint of most iterations that can be resumed; None where there is none at all.

    Neither dates nor ``last_checkpoint`` are asked. Of files whose names differ by numbers only,
    such as epoch_1.pth and epoch_2.pth, the highest that is intact is read and no other.

    Raises:
        ValueError: If there are checkpoints and every one is damaged; each is named.
    """
    damaged: list[str] = []
    found = [best for names in _series(folders) if (best := _first_intact(names, damaged))]
    if found:
        return str(max(found)[-1])
    if damaged:
        raise ValueError(
            f'{folders[0]}: no checkpoint is intact:\n  ' + '\n  '.join(damaged) + '\n'
            'restore one from a backup, or start anew with an empty work_dir'
        )
    return None


def left_in(*folders: str | Path) -> Path | None:
    """A checkpoint that is there before a new training writes one."""
    return next((paths[0] for paths in _series(folders)), None)


def _series(folders: Iterable[str | Path]) -> Iterator[list[Path]]:
    series = defaultdict(set)
    for folder in {Path(folder).resolve() for folder in folders}:
        for path in folder.glob('*.pth'):
            series[folder, DIGITS.sub('#', path.name)].add(path)
    for paths in series.values():
        yield sorted(paths, key=lambda path: _numbers(path.name), reverse=True)


def _numbers(name: str) -> list[int]:
    return [int(number) for number in DIGITS.findall(name)]


def _first_intact(paths: list[Path], damaged: list[str]) -> tuple[int, bool, int, Path] | None:
    """Of the first that can be resumed: iteration, whether a stop saved it, epoch, and path."""
    for path in paths:
        try:
            content = read_checkpoint(path)
        except (OSError, ValueError) as error:
            damaged.append(str(error))
            print_log(f'not resumed from: {error}', logger='current', level=logging.WARNING)
            continue
        if not lacking(content):
            meta = content['meta']
            return meta['iter'], path.name == INTERRUPTED, meta['epoch'], path
    return None

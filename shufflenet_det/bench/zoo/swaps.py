"""Swaps every distinct model of MMDetection's configs and lists silent changes; resumable."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from mmengine.config import Config

from shufflenet_det.bench.environment import earlier_result, environment, write_result
from shufflenet_det.bench.failures import line_of
from shufflenet_det.detectors.swap import backbone_config, swap_backbone

from .meaning import silent_changes
from .run import ARCH, SHARED

KIND = 'zoo swaps'
WRITTEN, REFUSED, UNREADABLE = 'written', 'refused', 'unreadable'


@dataclass(frozen=True)
class Swap:
    """One model and what became of its swap.

    Args:
        config: The first file that has it.
        model: Digest of all that a swap looks at.
        same: The other files that have it.
        result: Whether the swap was written, refused, or the file could not be read.
        cause: Of a refusal, or why the models before and after could not be compared.
        silent: What the swap changed without a word; None where it is not known.
        said: Last names of the fields that the swap changed and named.
    """

    config: str
    model: str = ''
    same: list[str] = field(default_factory=list)
    result: str = UNREADABLE
    cause: str = ''
    silent: list[str] | None = None
    said: list[str] = field(default_factory=list)


def config_files(root: Path, folders: Iterable[str] = ()) -> list[str]:
    """All configs, or those of some folders, below ``root``.

    Raises:
        ValueError: If a folder has none.
    """
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob('*.py'))
    whole = [name for name in names if not any(part in SHARED for part in name.split('/'))]
    unknown = sorted(set(folders) - {name.split('/')[0] for name in whole})
    if unknown:
        raise ValueError(f'{root} has no configs in {unknown}')
    return [name for name in whole if not folders or name.split('/')[0] in folders]


def swap_all(names: Iterable[str], root: Path, out: Path | None) -> dict:
    """Swap the model of every file that the result does not hold yet.

    Args:
        names: From :func:`config_files`.
        root: Folder of the configs.
        out: The result file, written after each model; None keeps nothing.
    """
    kept = earlier_result(out, KIND).get('rows', [])
    rows = {row['config']: Swap(**row) for row in kept}
    done = {name for row in rows.values() for name in (row.config, *row.same)}
    env, result = environment(), dict(rows=kept)
    home = os.getcwd()
    os.chdir(root.parent)  # some configs name others as configs/gfl/...
    try:
        for row in _swaps((name for name in names if name not in done), root, rows):
            rows[row.config] = row
            result = write_result(out and Path(home, out), KIND, env, arch=ARCH,
                                  rows=[asdict(row) for row in rows.values()])  # fmt: skip
            if (row.result != WRITTEN or row.silent != []) and not row.same:
                print(f'{row.config}: {row.result} {row.cause} {row.silent or ""}', flush=True)
    finally:
        os.chdir(home)
    return result


def _swaps(names: Iterable[str], root: Path, rows: dict[str, Swap]) -> Iterator[Swap]:
    """A row for each file: of its own, or of the first one with the same model."""
    first = {row.model: row.config for row in rows.values() if row.model}
    for name in names:
        try:
            cfg = Config.fromfile(root / name)
        except Exception as error:
            yield Swap(name, cause=line_of(error))
            continue
        digest = _digest(cfg)
        if digest in first:
            row = rows[first[digest]]
            yield replace(row, same=[*row.same, name])
        else:
            first[digest] = name
            yield swapped(cfg, Swap(name, digest))


def swapped(cfg: Config, row: Swap) -> Swap:
    """A row with what comes of a config's swap."""
    try:
        after, changes = swap_backbone(cfg, backbone_config(ARCH))
    except ValueError as error:
        return replace(row, result=REFUSED, cause=line_of(error))
    said = [change.path.partition('[')[0].rpartition('.')[2] for change in changes]
    row = replace(row, result=WRITTEN, said=list(dict.fromkeys(said)))
    try:
        return replace(row, silent=silent_changes(cfg, after, changes))
    except Exception as error:
        return replace(row, cause=f'not compared: {line_of(error)}')


def _digest(cfg: Config) -> str:
    wrapper = cfg.get('optim_wrapper') or {}
    parts = [cfg.get(key) for key in ('model', 'load_from', 'default_scope')]
    parts += [wrapper.get(key) for key in ('paramwise_cfg', 'constructor')]
    return sha256(repr(parts).encode()).hexdigest()[:12]

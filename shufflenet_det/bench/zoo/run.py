"""Builds, trains and predicts with each folder of MMDetection's configs; resumable."""

from __future__ import annotations

import os
import random
import re
import resource
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGXCPU

import torch
from mmengine.config import Config

from shufflenet_det.bench.environment import earlier_result, environment, write_result
from shufflenet_det.bench.failures import line_of
from shufflenet_det.detectors.swap import backbone_config, swap_backbone
from shufflenet_det.detectors.trial import (
    BATCH,
    SHAPE,
    build_untrained,
    predict_once,
    train_one_step,
)
from shufflenet_det.integration.config_scope import config_root

KIND, SAMPLE, SECONDS = 'zoo', 10, 100
PATIENCE = 20
"""Seconds by the clock for each of CPU time: the machine may belong to others."""

ARCH = '0.5x'
SHARED = ('_base_', 'common')
"""Folders that hold parts of other configs."""

LIGHT = re.compile(r'tiny|r18|r50|[-_]s[-_]|b0|swin-t|w18')
LAST = re.compile(
    r'^(bytetrack|ocsort|sort|deepsort|strongsort)_|^cascade-rpn_r50|_tta|override|mot(17|20half|20)train_test-'
)
"""Configs that stand for a folder only where it has no other: trackers, the RPN alone, and those
that name their base without its ending."""


@dataclass(frozen=True)
class Row:
    """One folder, as it is or swapped.

    Args:
        folder: Of MMDetection's configs.
        config: The file that stands for it.
        swapped: Whether our backbone is in it.
        built, trains, predicts: What it got through.
        cause: Of the first step that it did not; a swap that is refused says why.
        seconds: CPU time of all steps together, of a process that has its modules.
        done: Whether all steps were tried.
    """

    folder: str
    config: str
    swapped: bool
    built: bool = False
    trains: bool = False
    predicts: bool = False
    cause: str = ''
    seconds: float = 0.0
    done: bool = False


def rows_of(root: Path, folders: Iterable[str] | None = None) -> list[Row]:
    """Two rows for each folder, with the config that stands for it: a light one, not a tracker.

    Raises:
        ValueError: If a folder is not there.
    """
    present = sorted(p.name for p in root.iterdir() if p.is_dir() and p.name not in SHARED)
    unknown = sorted(set(folders or ()) - set(present))
    if unknown:
        raise ValueError(f'{root} has no folder {unknown}; allowed: {present}')
    return [
        Row(folder, name, swapped)
        for folder in present if not folders or folder in folders
        for name in [_representative(root / folder)] if name for swapped in (False, True)
    ]  # fmt: skip


def _representative(folder: Path) -> str | None:
    names = sorted(path.name for path in folder.glob('*.py'))
    names = names or sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*.py'))
    order = sorted(names, key=lambda n: (bool(LAST.search(n)), not LIGHT.search(n), len(n), n))
    return order[0] if order else None


def sample_of(rows: Iterable[Row], day: date, count: int = SAMPLE) -> list[Row]:
    """The rows of so many folders, others on each day and the same all day."""
    rows = list(rows)
    folders = sorted({row.folder for row in rows})
    chosen = set(random.Random(day.isoformat()).sample(folders, min(count, len(folders))))
    return [row for row in rows if row.folder in chosen]


def run_all(rows: Iterable[Row], root: Path, out: Path | None, seconds: int = SECONDS) -> dict:
    """Try every row that the result does not hold yet, each in a process of its own.

    Args:
        rows: From :func:`rows_of`.
        root: Folder of the configs.
        out: The result file, written after each row; None keeps nothing.
        seconds: CPU time that a row gets.
    """
    rows = list(rows)
    kept = earlier_result(out, KIND).get('rows', [])
    done = {(row['folder'], row['config'], row['swapped']): row for row in kept}
    env = environment(batch=BATCH, size=SHAPE[1:])
    result = dict(rows=kept)
    for row in rows:
        key = row.folder, row.config, row.swapped
        if key not in done:
            done[key] = asdict(in_own_process(row, root, seconds))
            result = write_result(out, KIND, env, arch=ARCH, rows=list(done.values()))
            last = done[key]
            print(f'{row.folder}{" swapped" * row.swapped}: {last["cause"] or "works"}', flush=True)
    return result


def in_own_process(row: Row, root: Path, seconds: int) -> Row:
    """A row tried in a fork of this process, which must not have computed yet."""
    context = get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(row, root, seconds, sender))
    process.start()
    sender.close()
    last = row
    try:
        while True:
            if not receiver.poll(seconds * PATIENCE):
                return replace(last, cause=f'{_step(last)}: no answer in {seconds * PATIENCE} s')
            last = receiver.recv()
            if last.cause or last.done:
                return last
    except EOFError:
        process.join()
        end = f'the process ended with {process.exitcode}'
        if process.exitcode == -SIGXCPU:
            end = f'needs more than {seconds} s of CPU time'
        return replace(last, cause=f'{_step(last)}: {end}')
    finally:
        process.kill()
        process.join()


def _step(row: Row) -> str:
    return 'build' if not row.built else 'train' if not row.trains else 'predict'


def _send(row: Row, root: Path, seconds: int, sender: Connection) -> None:
    """Send the row after each step."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    os.chdir(root.parent)  # some configs name others as configs/gfl/...
    start = time.process_time()
    try:
        for reached in attempt(row, root):
            row = reached
            sender.send(replace(row, seconds=round(time.process_time() - start, 1)))
    except Exception as error:
        sender.send(replace(row, cause=f'build: {line_of(error)}'))


def attempt(row: Row, root: Path) -> Iterable[Row]:
    """Build, train, predict: the row after each that was got through.

    A model that cannot be trained may still predict.
    """
    torch.manual_seed(0)
    cfg = Config.fromfile(root / row.folder / row.config)
    if row.swapped:
        cfg, _ = swap_backbone(cfg, backbone_config(ARCH))
    model = build_untrained(cfg)
    row = replace(row, built=True)
    yield row
    causes = []
    for step, use in (('trains', train_one_step), ('predicts', predict_once)):
        try:
            use(model, cfg)
            row = replace(row, **{step: True})
        except Exception as error:
            causes.append(f'{step[:-1]}: {line_of(error)}')
        if step == 'trains':
            yield row
    yield replace(row, cause='; '.join(causes), done=True)


def config_folder() -> Path:
    """MMDetection's configs."""
    return config_root('mmdet')

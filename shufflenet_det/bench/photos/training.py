"""One training in processes of its own, that goes on where it was stopped."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from shufflenet_det.bench.environment import device_name, environment
from shufflenet_det.integration.config_scope import config_root
from shufflenet_det.training.launch import load_config
from shufflenet_det.training.newest import newest_intact
from shufflenet_det.training.own_photos import Run as Reading

from .own_folder import own_folder

ATTEMPTS, LOG = 'attempts.jsonl', 'train.log'
_ENVIRONMENT = threading.Lock()


class TrainingFailed(RuntimeError):
    """A training ended before its last epoch."""


@dataclass(frozen=True)
class Run:
    """A training: a row of a result.

    Args:
        data: Name of a set of ``data.photos.PHOTO_SETS``.
        config: Name of a file of configs/photos or, for ``images``, of configs/custom.
        seed: Of weights, order of the images and augmentation.
        epochs: Instead of the config's.
        changes: Settings over the config's, as in ``--cfg-options``.
        step: What the changes try, in a few words.
        than: The step that it is compared with.
        images: So many of the set's images, drawn by the seed, as somebody's own folder.
    """

    data: str
    config: str
    seed: int = 0
    epochs: int | None = None
    changes: Mapping[str, object] = field(default_factory=dict)
    step: str = ''
    than: str = ''
    images: int | None = None

    @property
    def name(self) -> str:
        """Unique name; of the folder of its training."""
        step = ''.join(c if c.isalnum() or c in '.-' else '_' for c in self.step)
        data = f'{self.data}_{self.images}' if self.images else self.data
        parts = [data, self.config, step, f'{self.epochs}ep' if self.epochs else '']
        return '-'.join([*filter(None, parts), f'seed{self.seed}'])

    @property
    def settings(self) -> dict[str, object]:
        """Everything that is set over the config's own."""
        length = {}
        if self.epochs:
            length = {
                'train_cfg.max_epochs': self.epochs,
                'param_scheduler.1.end': self.epochs,
                'param_scheduler.1.T_max': self.epochs,
            }
        return {'randomness.seed': self.seed, **length, **self.changes}


def train(run: Run, work_dir: str | Path, root: str | Path, tool: str | Path) -> Path:
    """Train to the end, or go on with a training of ``work_dir``, with one thread.

    A training that goes on takes the config that it began with, which MMEngine leaves there. One
    that outlived its runner is waited for.

    Args:
        run: What to train.
        work_dir: Its folder.
        root: Folder of the data sets.
        tool: tools/train.py.

    Returns:
        The last checkpoint.

    Raises:
        TrainingFailed: With the last line of its log.
    """
    work_dir = Path(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    with (work_dir / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # which the training inherits
        config = begin(run, work_dir, root)
        command = [sys.executable, tool, config, '--work-dir', work_dir, '--resume']
        attempt = _attempt(list(map(str, command)), work_dir, lock.fileno())
    with (work_dir / ATTEMPTS).open('a', encoding='utf-8') as file:
        file.write(json.dumps(attempt) + '\n')
    if attempt['returncode']:
        lines = (work_dir / LOG).read_text(encoding='utf-8', errors='replace').splitlines()
        raise TrainingFailed(next(filter(None, map(str.strip, reversed(lines))), 'no log'))
    return Path(newest_intact(str(work_dir)))


def begin(run: Run, work_dir: Path, root: str | Path) -> Path:
    """The whole config of a run, in the file that MMEngine leaves in the folder of a training."""
    path = work_dir / f'{run.config}.py'
    if path.is_file():
        return path
    configs = config_root('shufflenet_det')
    if run.images:
        folder = own_folder(root, run.data, run.images, run.seed, work_dir / 'own_folder')
        settings = dict(run.settings, data_root=str(folder))
        cfg = load_config(
            configs / 'custom' / path.name, settings, run=Reading(str(work_dir), trains=True)
        )
    else:
        with _set_environment(PHOTOS_ROOT=str(root), PHOTOS_SET=run.data):
            cfg = load_config(configs / 'photos' / path.name, run.settings)
    cfg.dump(path)
    return path


@contextmanager
def _set_environment(**variables: str) -> Iterator[None]:
    with _ENVIRONMENT:
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _attempt(command: list[str], work_dir: Path, lock: int) -> dict:
    commit, start = environment()['commit'], time.time()
    with (work_dir / LOG).open('ab') as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, pass_fds=[lock],
            env=dict(os.environ, OMP_NUM_THREADS='1'),
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return dict(
        device=device_name('cuda' if torch.cuda.is_available() else 'cpu'),
        commit=commit, returncode=process.returncode, seconds=time.time() - start,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
    )  # fmt: skip


def attempts(work_dir: str | Path) -> dict:
    """First commit and device, seconds and CPU-seconds of the processes of a training.

    The seconds are None where a process outlived its runner, which then did not see its end.
    """
    path = Path(work_dir) / ATTEMPTS
    tried = [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]
    whole = len(tried) == len(list(Path(work_dir).glob('*/vis_data')))
    costs = ('seconds', 'cpu_seconds')
    sums = {name: sum(attempt[name] for attempt in tried) if whole else None for name in costs}
    return dict(commit=tried[0]['commit'], device=tried[0].get('device')) | sums


def curve(work_dir: str | Path) -> list[dict]:
    """AP on the validation split after each epoch that it was measured in."""
    found = {}
    for record in _scalars(Path(work_dir)):
        if 'coco/bbox_mAP' in record:
            found[record['step']] = dict(
                epoch=record['step'], AP=record['coco/bbox_mAP'], AP50=record['coco/bbox_mAP_50']
            )
    return [found[epoch] for epoch in sorted(found)]


def losses(work_dir: str | Path) -> list[dict]:
    """Loss after each iteration that it was logged in, a mean over those before."""
    found = {
        record['step']: dict(iteration=record['step'], loss=record['loss'])
        for record in _scalars(Path(work_dir))
        if 'loss' in record
    }
    return [found[iteration] for iteration in sorted(found)]


def _scalars(work_dir: Path) -> Iterator[dict]:
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text(encoding='utf-8').splitlines():
            try:
                yield json.loads(line)
            except ValueError:  # cut by a kill
                continue

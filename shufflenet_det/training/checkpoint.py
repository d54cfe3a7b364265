"""Checkpoints of a training: written whole, read safely, found again after a crash."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path

import torch
from mmengine.dist import all_gather_object, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from shufflenet_det.checkpoints import read_checkpoint
from shufflenet_det.checkpoints.atomic import remove_leftovers, replace_file
from shufflenet_det.checkpoints.files import URL_TABLES, resolve
from shufflenet_det.checkpoints.safe_types import allow_mmengine_types

from .resume import Resumable

allow_mmengine_types()

INTERRUPTED = 'interrupted.pth'
POINTER = 'last_checkpoint'
STATE = 'training_state'  # key of Resumable.state() of each rank
ATOMIC = dict(backend='atomic')


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """mmengine's local files, written by :func:`replace_file`: ``backend_args=ATOMIC``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        replace_file(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        self.put(obj.encode(encoding), filepath)


@CheckpointLoader.register_scheme(prefixes=['', 'http://', 'https://', *URL_TABLES], force=True)
def load(filename: str, map_location=None) -> dict:
    """Reads every checkpoint that mmengine loads; nothing in the file is executed.

    Raises:
        FileNotFoundError, ValueError: As ``resolve`` and ``read_checkpoint``: no file, corrupt,
            holds code, NaN.
    """
    path = resolve(filename)
    content = read_checkpoint(path)
    if path.suffix == '.safetensors':
        return content
    return torch.load(path, map_location=map_location, weights_only=True)


def newest_intact(work_dir: str | Path) -> str | None:
    """The newest checkpoint of a training that can be resumed; None where there is none at all.

    Asks ``last_checkpoint`` first, then goes from the newest file to the oldest.

    Raises:
        ValueError: If there are checkpoints and every one is damaged; each is named.
    """
    damaged = []
    for path in _candidates(Path(work_dir)):
        try:
            content = read_checkpoint(path)
        except (OSError, ValueError) as error:
            damaged.append(str(error))
            print_log(f'not resumed from: {error}', logger='current', level=logging.WARNING)
            continue
        if 'optimizer' in content and 'meta' in content:
            return str(path)
    if damaged:
        raise ValueError(
            f'{work_dir}: no checkpoint is intact:\n  ' + '\n  '.join(damaged) + '\n'
            'restore one from a backup, or start anew with an empty work_dir'
        )
    return None


def _candidates(work_dir: Path) -> list[Path]:
    named = work_dir / POINTER
    found = sorted(work_dir.glob('*.pth'), key=lambda p: p.stat().st_mtime_ns, reverse=True)
    if named.is_file():
        last = Path(named.read_text().strip())
        # The folder may have been moved since.
        found = [p for p in (last, work_dir / last.name) if p.is_file()] + found
    return list(dict.fromkeys(path.resolve() for path in found))


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """`CheckpointHook` whose files survive a full disk and a kill at any moment.

    Order: new file whole and read back, then ``last_checkpoint``, then old files are deleted.
    Weights that are not finite are never saved. Takes the arguments of `CheckpointHook`.
    """

    _states: list[dict] | None = None

    def before_train(self, runner: Runner) -> None:
        self.backend_args = self.backend_args or ATOMIC
        super().before_train(runner)
        if is_main_process():
            remove_leftovers(self.out_dir)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        state_dict = checkpoint['state_dict']
        bad = [key for key, value in state_dict.items() if not value.isfinite().all()]
        if bad:
            raise FloatingPointError(
                f'not saved: NaN or infinite values in {len(bad)} weights, such as {bad[:5]}; '
                'earlier checkpoints are intact'
            )
        if self._states is not None:
            checkpoint[STATE] = self._states

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        loop = runner._train_loop
        if not runner._resume or not isinstance(loop, Resumable):
            return
        states = checkpoint.get(STATE)
        if states is None or len(states) != runner.world_size:
            had = 'none' if states is None else f'those of {len(states)} ranks'
            runner.logger.warning(
                f'random states: the checkpoint has {had}, {runner.world_size} needed; the run '
                'goes on, but not bit-identical'
            )
            return
        loop.load_state(states[runner.rank])

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """As mmengine does, but the former best file goes only when the new one is there."""
        kept = {'best_ckpt_path': None, 'best_ckpt_path_dict': {}, **vars(self)}
        former, formers = kept['best_ckpt_path'], kept['best_ckpt_path_dict']
        self.best_ckpt_path, self.best_ckpt_path_dict = None, dict.fromkeys(formers)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            saved, news = self.best_ckpt_path, self.best_ckpt_path_dict
            self.best_ckpt_path = saved or former
            self.best_ckpt_path_dict = {key: news[key] or formers[key] for key in formers}
        replaced = [(former, saved), *((formers[key], news[key]) for key in formers)]
        for old, new in replaced if is_main_process() else ():
            if old and new and old != new and self.file_backend.isfile(old):
                self.file_backend.remove(old)

    def save_interrupted(self, runner: Runner, epoch: int, iteration: int) -> str:
        """Save now, to be resumed after ``iteration`` iterations; returns the path."""
        self._write(runner, INTERRUPTED, dict(epoch=epoch, iter=iteration))
        return self.last_ckpt

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated = []
        if self.max_keep_ckpts > 0:
            kept = [s for s in self.keep_ckpt_ids if s != step] + [step]
            outdated = kept[: -self.max_keep_ckpts]
            self.keep_ckpt_ids = deque(kept[-self.max_keep_ckpts :])
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        self._write(runner, self.filename_tmpl.format(step), meta)
        if is_main_process():
            names = [self.filename_tmpl.format(old) for old in outdated] + [INTERRUPTED]
            for path in (self.file_backend.join_path(self.out_dir, name) for name in names):
                if self.file_backend.isfile(path):
                    self.file_backend.remove(path)

    def _write(self, runner: Runner, name: str, meta: dict) -> None:
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        loop = runner.train_loop
        if isinstance(loop, Resumable):
            self._states = all_gather_object(loop.state())
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self._states = None
        if is_main_process():
            replace_file(Path(runner.work_dir, POINTER), self.last_ckpt.encode())

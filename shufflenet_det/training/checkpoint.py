"""Checkpoints of a training: written whole, read safely, found again after a crash."""

from __future__ import annotations

import io
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

from shufflenet_det.checkpoints import read_checkpoint
from shufflenet_det.checkpoints.atomic import remove_leftovers, replace_file
from shufflenet_det.checkpoints.files import check_content

from .resume import Resumable
from .verified_loading import STATE, lacking

INTERRUPTED = 'interrupted.pth'
POINTER = 'last_checkpoint'
ATOMIC = dict(backend='atomic')


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """mmengine's local files, written by :func:`replace_file`: ``backend_args=ATOMIC``.

    A checkpoint that a resumed run would refuse is not written: it raises ValueError.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        if Path(filepath).suffix == '.pth':
            _check_saved(obj, filepath)
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        replace_file(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        self.put(obj.encode(encoding), filepath)


def _check_saved(content: bytes, path: str | Path) -> None:
    try:
        check_content(content, path)
    except ValueError as error:
        raise ValueError(
            f'not saved, as --resume would refuse it: {error}; earlier checkpoints are intact'
        ) from error


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
        if not lacking(content):
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
    What a resumed run would refuse, such as weights that are not finite, is never saved, unless
    ``backend_args`` names another backend. Takes the arguments of `CheckpointHook`.
    """

    _states: list[dict] | None = None

    def before_train(self, runner: Runner) -> None:
        self.backend_args = self.backend_args or ATOMIC
        super().before_train(runner)
        if is_main_process():
            remove_leftovers(self.out_dir)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if self._states is not None:
            checkpoint[STATE] = self._states
        if self.backend_args != ATOMIC:  # which checks what it writes
            buffer = io.BytesIO()
            torch.save(checkpoint, buffer)
            _check_saved(buffer.getvalue(), self.last_ckpt or self.out_dir)

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

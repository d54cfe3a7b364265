"""Checkpoints of a training: written whole, and what they replace is deleted afterwards."""

from __future__ import annotations

import io
import re
from collections import deque
from pathlib import Path

import torch
from mmengine.dist import all_gather_object, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from shufflenet_det.checkpoints.atomic import remove_leftovers, replace_file
from shufflenet_det.checkpoints.files import check_content
from shufflenet_det.integration.registration import register

from .newest import INTERRUPTED
from .resume import Resumable
from .verified_loading import STATE

POINTER = 'last_checkpoint'
ATOMIC = dict(backend='atomic')
LOCAL = (dict(backend='disk'), dict(backend='local'))


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


@register('HOOKS')
class SafeCheckpointHook(CheckpointHook):
    """`CheckpointHook` whose files survive a full disk and a kill at any moment.

    Order: new file whole and read back, then ``last_checkpoint``, then old files are deleted, of
    those that this run wrote into its own folder. What a resumed run would refuse, such as
    weights that are not finite, is never saved, unless ``backend_args`` names another backend.
    Takes the arguments of `CheckpointHook`.
    """

    _states: list[dict] | None = None
    _continues = False  # whether the files in the folder are those of the run that goes on
    _best_is_new = False

    def folder(self, runner: Runner) -> str:
        """Where checkpoints go, before and in a training."""
        if self.out_dir in (None, runner.work_dir):
            return runner.work_dir
        return str(Path(self.out_dir, Path(runner.work_dir).name))

    def before_train(self, runner: Runner) -> None:
        if self.file_client_args in LOCAL:
            self.file_client_args = None
        if self.file_client_args is None:
            self.backend_args = self.backend_args or ATOMIC
        self._forget_others(runner)
        super().before_train(runner)
        if is_main_process():
            remove_leftovers(self.out_dir, '*.pth', POINTER)

    def _forget_others(self, runner: Runner) -> None:
        """Keep of the files to be deleted one day, which the checkpoint names, only our own."""
        folder, source = Path(self.folder(runner)), Path(runner._load_from or '')
        self._continues = runner._resume and source.parent.resolve() in (
            folder.resolve(), Path(runner.work_dir).resolve(),
        )  # fmt: skip
        info = runner.message_hub.runtime_info
        if 'keep_ckpt_ids' in info:
            ids = info['keep_ckpt_ids'] if self._continues else []
            runner.message_hub.update_info('keep_ckpt_ids', [i for i in ids if type(i) is int])
        for key in [key for key in info if key.split('_')[:2] == ['best', 'ckpt']]:
            name = Path(str(info[key])).name
            own = self._continues and self._is_best(name)
            runner.message_hub.update_info(key, str(folder / name) if own else None)

    def _is_best(self, name: str) -> bool:
        step = re.sub(r'\\\{[^}]*\\\}', r'\\d+', re.escape(self.filename_tmpl))
        return bool(re.fullmatch(rf'best_.+_{step}', name))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if self._states is not None:
            checkpoint[STATE] = self._states
        if self.backend_args != ATOMIC:  # which checks what it writes
            buffer = io.BytesIO()
            torch.save(checkpoint, buffer)
            _check_saved(buffer.getvalue(), self.last_ckpt or self.out_dir)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """As mmengine does, but the former best file goes only when the new one is there.

        The last checkpoint, which is to name the best, is saved again when all hooks have seen
        the validation.
        """
        unknown = [name for name in self.save_best or () if name not in ('auto', *metrics)]
        if metrics and unknown:
            raise ValueError(
                f'default_hooks.checkpoint.save_best={unknown}: the validation gives only '
                f'{sorted(metrics)[:20]}; set it to one of these'
            )
        kept = {'best_ckpt_path': None, 'best_ckpt_path_dict': {}, **vars(self)}
        former, formers = kept['best_ckpt_path'], kept['best_ckpt_path_dict']
        self.best_ckpt_path, self.best_ckpt_path_dict = None, dict.fromkeys(formers)
        last, self.last_ckpt = self.last_ckpt, None
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.last_ckpt = last
            saved, news = self.best_ckpt_path, self.best_ckpt_path_dict
            self.best_ckpt_path = saved or former
            self.best_ckpt_path_dict = {key: news[key] or formers[key] for key in formers}
        self._best_is_new = bool(saved or any(news.values()))
        replaced = [(former, saved), *((formers[key], news[key]) for key in formers)]
        self._delete(old for old, new in replaced if old and new and old != new)

    def after_val(self, runner: Runner) -> None:
        loop = runner._train_loop
        if isinstance(loop, Resumable):
            loop.validated = loop.iter
        if self._best_is_new and self.last_ckpt is not None:
            step = runner.epoch if self.by_epoch else runner.iter
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(runner, step, meta)
        self._best_is_new = False

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
        names = [self.filename_tmpl.format(old) for old in outdated]
        names += [INTERRUPTED] if self._continues else []
        self._delete(self.file_backend.join_path(self.out_dir, name) for name in names)

    def _delete(self, paths) -> None:
        for path in paths if is_main_process() else ():
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
            file_client_args=self.file_client_args,
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

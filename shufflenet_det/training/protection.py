"""All protections of a training or an evaluation, switched on by one hook."""

from __future__ import annotations

import signal
from typing import TypeVar

from mmcv.transforms import LoadImageFromFile
from mmdet.evaluation import CocoMetric
from mmengine.hooks import CheckpointHook, EMAHook, Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn

from shufflenet_det.data.coco import check_predictions
from shufflenet_det.data.images import POLICIES, CheckedLoadImage
from shufflenet_det.data.training_check import check_training_data, read_anew
from shufflenet_det.integration.registration import register

from .checkpoint import SafeCheckpointHook
from .distributed import by_main_process
from .guards import FiniteGuard
from .kept_values import caching_transforms
from .lock import hold, release
from .metric import SafeCocoMetric
from .monitors import check_monitors, metrics_of
from .newest import left_in, newest_intact
from .pipelines import image_loaders, limit_waiting, pipelines_of, plain_dataset, settings_of
from .resume import Resumable, ResumableIterLoop, ResumableTrainLoop, end_loading
from .signals import StopRequest, exit_code
from .verified_loading import verify_loading

T = TypeVar('T')
RESUMABLE = {EpochBasedTrainLoop: ResumableTrainLoop, IterBasedTrainLoop: ResumableIterLoop}


def _as(kind: type[T], plain: object) -> T:
    """An object of ``kind``, a subclass without settings of its own, with the plain one's."""
    made = kind.__new__(kind)
    made.__dict__.update(plain.__dict__)
    return made


@register('HOOKS')
class ProtectionHook(Hook):
    """Nothing lost, nothing silent, in any config of MMDetection.

    ``custom_imports = dict(imports=['shufflenet_det'])`` and
    ``custom_hooks = [dict(type='ProtectionHook')]`` are all that a config needs. The plain
    `CheckpointHook`, `EpochBasedTrainLoop`, `IterBasedTrainLoop`, `LoadImageFromFile` and
    `CocoMetric` become `SafeCheckpointHook`, `ResumableTrainLoop`, `ResumableIterLoop`,
    `CheckedLoadImage` and `SafeCocoMetric` with the same settings; subclasses of them are left
    alone, and the log says so. Other training loops get everything but the bit-identical resume.
    Data sets in COCO and Pascal VOC format are read anew where MMDetection reads them otherwise.

    Args:
        unreadable_images: ``'fail'``, or ``'skip'`` to train on another image and count.
    """

    priority = 'LOWEST'  # sees an iteration after every other hook

    def __init__(self, unreadable_images: str = 'fail') -> None:
        if unreadable_images not in POLICIES:
            raise ValueError(f'unreadable_images={unreadable_images!r} is not one of {POLICIES}')
        self.unreadable_images = unreadable_images
        self._guard: FiniteGuard | None = None
        self._stop: StopRequest | None = None
        self._loaders: list[CheckedLoadImage] = []
        self._pipelines: list[list] = []

    def before_run(self, runner: Runner) -> None:
        verify_loading(runner)
        trains = isinstance(runner._train_loop, BaseLoop)  # until it is built, a dict
        if trains:
            by_main_process(lambda: hold(runner.work_dir))
            check_training_data(settings_of(runner))
            check_monitors(runner)
            read_anew(runner._train_loop.dataloader.dataset)
            self._protect_training(runner)
            self._protect_train_images(runner)
            limit_waiting(runner._train_loop)
        for loop in (runner._val_loop, runner._test_loop):
            if hasattr(loop, 'evaluator'):
                self._protect_evaluation(runner, loop)
        if trains:
            self._leave_no_trace(runner)
            self._choose_checkpoint(runner)

    def _protect_evaluation(self, runner: Runner, loop: BaseLoop) -> None:
        self._protect_images(runner, loop)
        limit_waiting(loop)
        by_name = read_anew(loop.dataloader.dataset)
        metrics = metrics_of(loop)
        for index, metric in enumerate(metrics):
            if type(metric) is CocoMetric:
                metrics[index] = _as(SafeCocoMetric, metric)
                if by_name:
                    metrics[index].read_anew()
                metrics[index].check_settings()

    def _choose_checkpoint(self, runner: Runner) -> None:
        """What a resumed run goes on from, the same on every rank."""
        folders = [h.folder(runner) for h in runner._hooks if isinstance(h, SafeCheckpointHook)]
        if runner._resume and runner._load_from is None:
            runner._load_from = by_main_process(lambda: newest_intact(runner.work_dir, *folders))
            runner._resume = runner._load_from is not None
            if not runner._resume:
                runner.logger.warning(f'{runner.work_dir}: nothing to resume, a new training')
        elif not runner._resume and (left := left_in(runner.work_dir, *folders)):
            runner.logger.warning(
                f'{runner.work_dir}: {left.name} is of an earlier training, and --resume goes on '
                'from the file of most iterations; remove the old ones or use another work_dir'
            )

    def _protect_training(self, runner: Runner) -> None:
        for index, hook in enumerate(runner._hooks):
            if type(hook) is CheckpointHook:
                runner._hooks[index] = _as(SafeCheckpointHook, hook)
        loop, config = runner._train_loop, runner._train_dataloader
        resumable = RESUMABLE.get(type(loop))
        if resumable and isinstance(config, dict):
            loader = dict(config, dataset=plain_dataset(loop.dataloader.dataset))
            runner._train_loop = resumable.in_place_of(loop, loader)
        if not isinstance(runner._train_loop, Resumable):
            name = type(runner._train_loop).__name__
            runner.logger.warning(f'{name}: resuming is not bit-identical with this loop')

    def _protect_train_images(self, runner: Runner) -> None:
        """Again where a hook has exchanged the pipeline."""
        dataset = runner._train_loop.dataloader.dataset
        if self._pipelines == (pipelines := [list(steps) for steps in pipelines_of(dataset)]):
            return
        self._loaders = self._protect_images(runner, runner._train_loop)
        self._pipelines = [list(steps) for steps in pipelines_of(dataset)]
        caching = caching_transforms(pipelines)
        if caching:
            runner.logger.warning(
                f'{", ".join(caching)} mix images with those that their data worker loaded before: '
                'resuming is not bit-identical with them'
            )

    def _protect_images(self, runner: Runner, loop: object) -> list[CheckedLoadImage]:
        loaders = []
        for steps, index in image_loaders(loop.dataloader.dataset):
            if type(steps[index]) is LoadImageFromFile:
                steps[index] = _as(CheckedLoadImage, steps[index])
            if not isinstance(steps[index], CheckedLoadImage):
                name = type(steps[index]).__name__
                runner.logger.warning(f'{name}: damaged images are not looked for')
                continue
            trains = loop is runner._train_loop
            steps[index].prepare(self.unreadable_images if trains else 'fail')
            loaders.append(steps[index])
        return loaders

    def _leave_no_trace(self, runner: Runner) -> None:
        """Let the training, however it ends, give back what before_train and the lock took."""
        run = runner._train_loop.run

        def run_and_clean() -> nn.Module:
            try:
                return run()
            finally:
                for taken in filter(None, (self._guard, self._stop)):
                    taken.remove()
                self._guard = self._stop = None
                for loop in (runner._train_loop, runner._val_loop):
                    end_loading(loop)
                release(runner.work_dir)

        runner._train_loop.run = run_and_clean

    def before_train(self, runner: Runner) -> None:
        self._guard = FiniteGuard(runner)
        self._stop = StopRequest()

    def before_train_epoch(self, runner: Runner) -> None:
        self._protect_train_images(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        self._guard.batch = data_batch

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        self._leave_if_asked(runner, runner.iter + 1)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        self._check_outputs(runner._test_loop, outputs)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        self._check_outputs(runner._val_loop, outputs)
        if self._stop is not None:
            self._leave_if_asked(runner, runner.iter, averaged=True)

    def after_val(self, runner: Runner) -> None:
        if self._stop is not None:
            self._leave_if_asked(runner, runner.iter)

    def _check_outputs(self, loop: BaseLoop, outputs: object) -> None:
        """What SafeCocoMetric does, for evaluations without one: before anything is scored."""
        metrics = metrics_of(loop)
        if not metrics or not isinstance(outputs, (list, tuple)):
            return
        if any(isinstance(metric, SafeCocoMetric) for metric in metrics):
            return
        classes = (loop.evaluator.dataset_meta or {}).get('classes', ())
        for sample in outputs:
            found = getattr(sample, 'pred_instances', None)
            if found is not None and {'bboxes', 'scores', 'labels'} <= set(found.keys()):
                parts = (found[k].cpu().numpy() for k in ('bboxes', 'scores', 'labels'))
                check_predictions(sample.metainfo.get('img_id'), *parts, len(classes))

    def _leave_if_asked(self, runner: Runner, iteration: int, averaged: bool = False) -> None:
        """Save and end, if a signal came.

        Args:
            iteration: Iterations that are done.
            averaged: Whether `EMAHook` has put its averages in the place of the weights.
        """
        number = self._stop.pending()
        if not number:
            return
        for hook in runner._hooks if averaged else ():
            if isinstance(hook, EMAHook):
                hook._swap_ema_parameters()
        saved = 'nothing was saved'
        for hook in runner._hooks:
            if isinstance(hook, SafeCheckpointHook):
                path = hook.save_interrupted(runner, runner.epoch, iteration)
                saved = f'saved {path} after iteration {iteration}, go on with --resume'
        runner.logger.warning(f'{signal.Signals(number).name}: {saved}')
        raise SystemExit(exit_code(number))

    def after_train_epoch(self, runner: Runner) -> None:
        self._report_skipped(runner, f'epoch {runner.epoch + 1}')

    def before_val(self, runner: Runner) -> None:
        if isinstance(runner._train_loop, BaseLoop):  # else runner.iter would build it
            self._report_skipped(runner, f'iteration {runner.iter}')  # loops without epochs

    def _report_skipped(self, runner: Runner, until: str) -> None:
        skipped = sum(loader.take_count() for loader in self._loaders)
        if skipped:
            runner.logger.warning(
                f'{until}: {skipped} unreadable images were skipped and others taken; '
                'tools/check_dataset.py lists them'
            )

"""All protections of a training or an evaluation, switched on by one hook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from mmcv.transforms import LoadImageFromFile
from mmdet.evaluation import CocoMetric
from mmengine.hooks import CheckpointHook, Hook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from shufflenet_det.data.coco import check_predictions
from shufflenet_det.data.images import POLICIES, CheckedLoadImage
from shufflenet_det.data.training_check import check_training_data, read_anew

from .checkpoint import SafeCheckpointHook, newest_intact
from .guards import FiniteGuard, StopRequest
from .metric import SafeCocoMetric
from .monitors import check_monitors
from .resume import Resumable, ResumableIterLoop, ResumableTrainLoop
from .verified_loading import verify_loading

T = TypeVar('T')
RESUMABLE = {EpochBasedTrainLoop: ResumableTrainLoop, IterBasedTrainLoop: ResumableIterLoop}


def _as(kind: type[T], plain: object) -> T:
    """An object of ``kind``, a subclass without settings of its own, with the plain one's."""
    made = kind.__new__(kind)
    made.__dict__.update(plain.__dict__)
    return made


def _settings(loop: BaseLoop) -> dict:
    """The arguments that a training loop of mmengine was built with."""
    limit = 'max_epochs' if isinstance(loop, EpochBasedTrainLoop) else 'max_iters'
    changes = zip(loop.dynamic_milestones[1:], loop.dynamic_intervals[1:], strict=True)
    return {
        limit: getattr(loop, limit), 'val_begin': loop.val_begin,
        'val_interval': loop.val_interval, 'dynamic_intervals': list(changes) or None,
    }  # fmt: skip


def image_loaders(dataset: object) -> list[tuple[list, int]]:
    """Where the pipelines of a dataset, through its wrappers, load images."""
    found, pending = [], [dataset]
    while pending:
        current = pending.pop()
        pending += [current.dataset] if hasattr(current, 'dataset') else []
        pending += list(getattr(current, 'datasets', []))
        steps = getattr(getattr(current, 'pipeline', None), 'transforms', [])
        found += [(steps, i) for i, s in enumerate(steps) if isinstance(s, LoadImageFromFile)]
    return found


@HOOKS.register_module()
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

    def before_run(self, runner: Runner) -> None:
        verify_loading(runner)
        trains = isinstance(runner._train_loop, BaseLoop)  # until it is built, a dict
        if trains:
            check_training_data(runner.cfg)
            check_monitors(runner)
            read_anew(runner._train_loop.dataloader.dataset)
            self._protect_training(runner)
            self._loaders = self._protect_images(runner, runner._train_loop)
        for loop in (runner._val_loop, runner._test_loop):
            if hasattr(loop, 'evaluator'):
                self._protect_images(runner, loop)
                by_name = read_anew(loop.dataloader.dataset)
                metrics = loop.evaluator.metrics
                for index, metric in enumerate(metrics):
                    if type(metric) is CocoMetric:
                        metrics[index] = _as(SafeCocoMetric, metric)
                        if by_name:
                            metrics[index].read_anew()
        if trains and runner._resume and runner._load_from is None:
            runner._load_from = newest_intact(runner.work_dir)
            runner._resume = runner._load_from is not None
            if not runner._resume:
                runner.logger.warning(f'{runner.work_dir}: nothing to resume, a new training')

    def _protect_training(self, runner: Runner) -> None:
        for index, hook in enumerate(runner._hooks):
            if type(hook) is CheckpointHook:
                runner._hooks[index] = _as(SafeCheckpointHook, hook)
        loop, config = runner._train_loop, runner._train_dataloader
        resumable = RESUMABLE.get(type(loop))
        if resumable and isinstance(config, dict):
            loader = {k: v for k, v in config.items() if k != 'num_batch_per_epoch'}
            loader['dataset'] = loop.dataloader.dataset
            runner._train_loop = resumable(runner, loader, **_settings(loop))
        if not isinstance(runner._train_loop, Resumable):
            name = type(runner._train_loop).__name__
            runner.logger.warning(f'{name}: resuming is not bit-identical with this loop')

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

    def before_train(self, runner: Runner) -> None:
        self._guard = FiniteGuard(runner)
        self._stop = StopRequest()

    def after_train(self, runner: Runner) -> None:
        self._guard.remove()
        self._stop.remove()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        self._guard.batch = data_batch

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        if self._stop.pending():
            self._leave(runner, runner.iter + 1)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        self._check_outputs(runner._test_loop, outputs)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        self._check_outputs(runner._val_loop, outputs)
        if self._stop is not None and self._stop.pending():
            self._leave(runner, runner.iter)

    def _check_outputs(self, loop: BaseLoop, outputs: object) -> None:
        """What SafeCocoMetric does, for evaluations without one: before anything is scored."""
        if any(isinstance(metric, SafeCocoMetric) for metric in loop.evaluator.metrics):
            return
        classes = (loop.evaluator.dataset_meta or {}).get('classes', ())
        for sample in outputs if isinstance(outputs, Sequence) else ():
            found = getattr(sample, 'pred_instances', None)
            if found is not None and {'bboxes', 'scores', 'labels'} <= set(found.keys()):
                parts = (found[k].cpu().numpy() for k in ('bboxes', 'scores', 'labels'))
                check_predictions(sample.metainfo.get('img_id'), *parts, len(classes))

    def _leave(self, runner: Runner, iteration: int) -> None:
        saved = 'nothing was saved'
        for hook in runner._hooks:
            if isinstance(hook, SafeCheckpointHook):
                path = hook.save_interrupted(runner, runner.epoch, iteration)
                saved = f'saved {path} after iteration {iteration}, go on with --resume'
        runner.logger.warning(f'SIGTERM: {saved}')
        raise SystemExit(StopRequest.EXIT_CODE)

    def after_train_epoch(self, runner: Runner) -> None:
        self._report_skipped(runner, f'epoch {runner.epoch + 1}')

    def before_val(self, runner: Runner) -> None:
        if self._loaders:  # else no training: asking for its iteration would build one
            self._report_skipped(runner, f'iteration {runner.iter}')  # loops without epochs

    def _report_skipped(self, runner: Runner, until: str) -> None:
        skipped = sum(loader.take_count() for loader in self._loaders)
        if skipped:
            runner.logger.warning(
                f'{until}: {skipped} unreadable images were skipped and others taken; '
                'tools/check_dataset.py lists them'
            )

"""Metrics that hooks wait for against those that the validation gives, before the first step."""

from __future__ import annotations

from collections.abc import Iterator

from mmdet.evaluation import CocoMetric
from mmengine.evaluator import BaseMetric
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.runner import Runner


def metrics_of(loop: object) -> list[BaseMetric]:
    """Metrics of a loop's evaluator; none of an evaluator of one's own that has no list of them."""
    metrics = getattr(getattr(loop, 'evaluator', None), 'metrics', None)
    return metrics if isinstance(metrics, list) else []


def check_monitors(runner: Runner) -> None:
    """Compare names; those of a metric without a prefix are not known before it has run.

    Raises:
        ValueError: Naming the setting, its value and what the validation gives.
    """
    metrics = metrics_of(runner._val_loop)
    if not metrics or any(metric.prefix is None for metric in metrics):
        return
    given = tuple(start for metric in metrics for start in _starts(metric))
    for setting, name in _monitored(runner):
        if not name.startswith(given):
            raise ValueError(
                f'{setting}={name!r}: the validation gives no such metric, only names that start '
                f'with {", ".join(dict.fromkeys(given))}; set {setting} to one of these, such as '
                'coco/bbox_mAP of COCO and pascal_voc/mAP of Pascal VOC'
            )


def _monitored(runner: Runner) -> Iterator[tuple[str, str]]:
    """Setting and name of each metric that a hook raises an error for where it is not there."""
    for hook in runner._hooks:
        if isinstance(hook, EarlyStoppingHook) and hook.strict:
            yield 'default_hooks.early_stopping.monitor', hook.monitor
        if isinstance(hook, CheckpointHook):
            for name in hook.save_best or ():
                if name != 'auto':
                    yield 'default_hooks.checkpoint.save_best', name


def _starts(metric: BaseMetric) -> Iterator[str]:
    """What the names of a metric's values start with."""
    if not isinstance(metric, CocoMetric) or metric.classwise:
        yield f'{metric.prefix}/'
        return
    for kind in metric.metrics:
        yield f'{metric.prefix}/' + (f'{kind}_' if kind in ('bbox', 'segm') else 'AR')

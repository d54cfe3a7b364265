"""Metrics that hooks wait for and no validation gives."""

import pytest
from mmengine.runner import Runner

MONITORS = [
    (dict(type='VOCMetric'), dict(monitor='coco/bbox_mAP'), r'pascal_voc/; '),
    (dict(type='VOCMetric'), dict(save_best='coco/bbox_mAP'), r'pascal_voc/; '),
    (dict(type='CocoMetric'), dict(monitor='pascal_voc/mAP'), r'coco/bbox_; '),
    (dict(type='CocoMetric'), dict(save_best='coco/segm_mAP'), r'coco/bbox_; '),
    (dict(type='CocoMetric', metric='proposal'), dict(save_best='coco/bbox_mAP'), r'coco/AR; '),
]


@pytest.mark.parametrize('evaluator, waits_for, given', MONITORS)
def test_metric_that_no_validation_gives_stops_before_step_1(cfg, evaluator, waits_for, given):
    if evaluator['type'] == 'VOCMetric':
        cfg.val_evaluator = evaluator
    else:
        cfg.val_evaluator.update(evaluator)
    if 'monitor' in waits_for:
        cfg.default_hooks.early_stopping = dict(
            type='EarlyStoppingHook', strict=True, rule='greater', **waits_for
        )
    else:
        cfg.default_hooks.checkpoint.update(waits_for, rule='greater')
    ((name, value),) = waits_for.items()
    with pytest.raises(ValueError, match=f"{name}='{value}': .* only names .*{given}"):
        Runner.from_cfg(cfg).train()

"""The protections in a config of MMDetection itself, by custom_imports and one hook."""

import json

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from shufflenet_det.robust import (
    CheckedLoadImage,
    DataError,
    ResumableTrainLoop,
    SafeCheckpointHook,
    SafeCocoMetric,
)


def test_one_hook_puts_every_protection_in_place(cfg, tmp_path):
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert isinstance(runner.train_loop, ResumableTrainLoop)
    assert isinstance(runner.train_dataloader.dataset.pipeline.transforms[0], CheckedLoadImage)
    assert isinstance(runner.val_loop.evaluator.metrics[0], SafeCocoMetric)
    assert sum(isinstance(hook, SafeCheckpointHook) for hook in runner._hooks) == 1
    assert (tmp_path / 'work/last_checkpoint').read_text() == str(tmp_path / 'work/epoch_1.pth')


@pytest.fixture
def by_iteration(cfg):
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=3, val_interval=3)
    cfg.default_hooks.checkpoint.update(interval=2, by_epoch=False)
    return cfg


def test_iteration_loop_keeps_verified_checkpoints_and_falls_back(by_iteration, tmp_path):
    Runner.from_cfg(by_iteration).train()
    work = tmp_path / 'work'
    (work / 'iter_3.pth').write_bytes(b'torn')
    by_iteration.update(resume=True, experiment_name='resumed')
    by_iteration.train_cfg.update(max_iters=4, val_interval=4)
    runner = Runner.from_cfg(by_iteration)
    runner.train()
    assert runner._load_from == str(work / 'iter_2.pth')
    assert runner.iter == 4 and (work / 'iter_4.pth').is_file()


def test_iteration_loop_checks_the_data_first(by_iteration):
    by_iteration.train_dataloader.dataset.metainfo = dict(classes=('cat', 'dog'))
    with pytest.raises(DataError, match=r"(?s)'cat', 'dog'.*'disk'"):
        Runner.from_cfg(by_iteration).train()


def test_class_names_unlike_the_file_stop_before_step_1(cfg):
    cfg.train_dataloader.dataset.metainfo = dict(classes=('cat', 'dog'))
    with pytest.raises(DataError, match=r"(?s)'cat', 'dog'.*'disk'"):
        Runner.from_cfg(cfg).train()


def test_num_classes_unlike_the_data_stops_before_step_1(cfg):
    cfg.model.bbox_head.num_classes = 80
    with pytest.raises(DataError, match=r'model\.bbox_head\.num_classes=80.*8 classes'):
        Runner.from_cfg(cfg).train()


class SpoilWeight(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        head = runner.model.bbox_head
        self.before = head.retina_reg.weight.clone()
        head.retina_cls.weight.data.fill_(torch.nan)


def test_nan_stops_before_the_step_and_names_the_images(cfg, tmp_path):
    runner = Runner.from_cfg(cfg)
    spoil = SpoilWeight()
    runner.register_hook(spoil)
    with pytest.raises(FloatingPointError, match='iteration 0: .*loss_cls'):
        runner.train()
    assert torch.equal(runner.model.bbox_head.retina_reg.weight, spoil.before)
    report = json.loads((tmp_path / 'work/non_finite_iter_0_rank_0.json').read_text())
    assert len(report['images']) == 2
    assert not list((tmp_path / 'work').glob('*.pth'))


def test_unknown_policy_is_an_error(cfg):
    cfg.custom_hooks[0].unreadable_images = 'ignore'
    with pytest.raises(ValueError, match="unreadable_images='ignore'"):
        Runner.from_cfg(cfg)

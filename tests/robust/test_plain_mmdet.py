"""The protections in a config of MMDetection itself, by custom_imports and one hook."""

import json

import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from shufflenet_det.data import CLASSES, generate
from shufflenet_det.robust import (
    CheckedLoadImage,
    DataError,
    ResumableTrainLoop,
    SafeCheckpointHook,
    SafeCocoMetric,
)

NORM = dict(type='BN', requires_grad=True)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return generate(tmp_path_factory.mktemp('plain') / 'data', num_train=4, num_val=2)


@pytest.fixture
def cfg(data, tmp_path):
    """RetinaNet on ResNet-18, as mmdet's own configs write it, at 64 px."""
    register_all_modules()
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='Resize', scale=(64, 64), keep_ratio=True),
        dict(type='PackDetInputs'),
    ]

    def loader(split, **kwargs):
        dataset = dict(
            type='CocoDataset', ann_file=str(data.ann_file(split)),
            data_prefix=dict(img=str(data.image_dir(split))), metainfo=dict(classes=CLASSES),
            pipeline=pipeline, **kwargs,
        )  # fmt: skip
        sampler = dict(type='DefaultSampler', shuffle=not kwargs)
        return dict(batch_size=2, num_workers=0, sampler=sampler, dataset=dataset)

    return Config(
        dict(
            default_scope='mmdet',
            custom_imports=dict(imports=['shufflenet_det']),
            custom_hooks=[dict(type='ProtectionHook')],
            model=retinanet(),
            train_dataloader=loader('train'),
            val_dataloader=loader('val', test_mode=True),
            val_evaluator=dict(type='CocoMetric', ann_file=str(data.ann_file('val'))),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1),
            val_cfg=dict(type='ValLoop'),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.001)),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
            work_dir=str(tmp_path / 'work'),
            experiment_name=tmp_path.name,
            log_level='ERROR',
        )
    )


def retinanet():
    head = dict(
        type='RetinaHead', num_classes=len(CLASSES), in_channels=16, feat_channels=16,
        stacked_convs=1,
        anchor_generator=dict(
            type='AnchorGenerator', octave_base_scale=4, scales_per_octave=1, ratios=[1.0],
            strides=[8, 16, 32, 64],
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='L1Loss'),
    )  # fmt: skip
    assigner = dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0)
    return dict(
        type='RetinaNet',
        data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
        backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, norm_cfg=NORM),
        neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=16, start_level=1,
                  add_extra_convs='on_input', num_outs=4),
        bbox_head=head,
        train_cfg=dict(assigner=assigner, sampler=dict(type='PseudoSampler'), allowed_border=-1,
                       pos_weight=-1, debug=False),
        test_cfg=dict(nms_pre=100, min_bbox_size=0, score_thr=0.05,
                      nms=dict(type='nms', iou_threshold=0.5), max_per_img=10),
    )  # fmt: skip


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

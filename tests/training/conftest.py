"""A config of MMDetection itself, protected by custom_imports and one hook."""

import signal

import pytest
from mmdet.utils import register_all_modules
from mmengine.config import Config
from terminal import as_in_a_terminal

from shufflenet_det.data import CLASSES, generate
from shufflenet_det.training.signals import STOPPING

NORM = dict(type='BN', requires_grad=True)


@pytest.fixture(autouse=True)
def signals_as_in_a_terminal():
    """Whatever the parent of the tests ignores, as nohup does, and whatever they leave."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    as_in_a_terminal()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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

# Photographs at 320 px: the set PHOTOS_SET (a row of shufflenet_det/data/photos.py) in data/photos,
# or where PHOTOS_ROOT points, or --cfg-options data_root=DIR.
_base_ = '../../_base_/runtime.py'

from shufflenet_det.data.photos import photo_set

photos = photo_set('{{$PHOTOS_SET:aquarium}}')
data_root = '{{$PHOTOS_ROOT:data/photos}}/{{$PHOTOS_SET:aquarium}}'
photo_classes = len(photos.classes)
max_epochs = photos.epochs
size = 320

train_pipeline = [
    dict(type='CheckedLoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomResize', scale=(size, size), ratio_range=(0.75, 1.25), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='CheckedLoadImage'),
    dict(type='Resize', scale=(size, size), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
common = dict(type='CheckedCocoDataset', data_root=data_root)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        **common,
        **photos.dataset('train'),
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**common, **photos.dataset('val'), test_mode=True, pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**common, **photos.dataset('test'), test_mode=True, pipeline=test_pipeline),
)
val_evaluator = dict(
    type='SafeCocoMetric', metric='bbox', ann_file=f'{data_root}/{photos.annotation_file("val")}'
)
test_evaluator = dict(
    type='SafeCocoMetric', metric='bbox', ann_file=f'{data_root}/{photos.annotation_file("test")}'
)

train_cfg = dict(type='ResumableTrainLoop', max_epochs=max_epochs, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0,
        bias_decay_mult=0,
        bypass_duplicate=True,  # RTMDet shares its convs between levels
        custom_keys=dict(backbone=dict(lr_mult=0.1)),
    ),
    clip_grad=dict(max_norm=10, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs,
        eta_min_ratio=0.01, convert_to_iter_based=True,
    ),
]  # fmt: skip
default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(interval=1, max_keep_ckpts=1),
    speed=dict(type='FastCPUHook', bf16=True),
    ema=dict(
        type='EMAHook', ema_type='ExpMomentumEMA', momentum=5e-3, gamma=100, update_buffers=True
    ),
)
del photos, common

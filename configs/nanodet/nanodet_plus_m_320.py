# NanoDet-Plus-m, ShuffleNet V2 1.0x, 320x320, COCO: 96 images a step, lr 0.001, 300 epochs, warm-up
# over 500 steps, then cosine to 5e-5 (README.md says what differs from the source).
_base_ = '../_base_/nanodet.py'

size = (320, 320)
model = dict(
    type='NanoDetPlus',
    neck=dict(type='GhostPAN', num_outs=4),
    bbox_head=dict(
        type='NanoDetPlusHead',
        anchor_generator=dict(type='MlvlPointGenerator', strides=[8, 16, 32, 64], offset=0),
    ),
    aux_head=dict(type='AssignGuidanceHead'),
    detach_epoch=10,
    # soft_center_radius: the assigner's cost for the distance to an object's centre is
    # 10 ** (cells - radius); the source has none, and 1000 makes it 0.
    train_cfg=dict(
        assigner=dict(type='DynamicSoftLabelAssigner', topk=13, soft_center_radius=1000)
    ),
)
train_pipeline = [
    dict(type='CheckedLoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    # width and height each by 0.8 to 1.2
    dict(type='RandomResize', scale=[(256, 256), (384, 384)], keep_ratio=False),
    _base_.affine,
    dict(type='RandomCrop', crop_size=size, allow_negative_crop=True),
    dict(type='Pad', size=size),
    *_base_.photometric,
]
test_pipeline = [
    dict(type='CheckedLoadImage'),
    dict(type='Resize', scale=size, keep_ratio=False),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(batch_size=96, num_workers=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=300, eta_min=5e-5),
]
# Averaged weights are validated and saved: decay 0.9998, less at first.
default_hooks = dict(
    ema=dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0002, update_buffers=True)
)
auto_scale_lr = dict(enable=False, base_batch_size=96)

# NanoDet-m, ShuffleNet V2 1.0x, 320x320, COCO: 192 images a step, lr 0.14, 280 epochs, warm-up over
# 300 steps, lr / 10 after epochs 240, 260 and 275 (README.md says what differs from the source).
_base_ = '../_base_/nanodet.py'

size = (320, 320)
model = dict(
    type='NanoDet',
    neck=dict(type='NanoDetPAN'),
    bbox_head=dict(
        type='NanoDetHead',
        anchor_generator=dict(
            type='AnchorGenerator', ratios=[1.0], octave_base_scale=5, scales_per_octave=1,
            strides=[8, 16, 32], center_offset=0.5,
        ),
    ),
    train_cfg=dict(
        assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1, debug=False
    ),
)  # fmt: skip
train_pipeline = [
    dict(type='CheckedLoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=size, keep_ratio=True),
    dict(type='Pad', size=size),
    _base_.affine,
    *_base_.photometric,
]
test_pipeline = [
    dict(type='CheckedLoadImage'),
    dict(type='Resize', scale=size, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(batch_size=192, num_workers=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=280)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.14, momentum=0.9, weight_decay=1e-4)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=300),
    dict(type='MultiStepLR', by_epoch=True, milestones=[240, 260, 275], gamma=0.1),
]
auto_scale_lr = dict(enable=False, base_batch_size=192)

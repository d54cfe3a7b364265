# The generated shapes set (python tools/make_demo_data.py), ShuffleNet V2 1.0x from scratch,
# made to be trained on two CPU cores in minutes: FPN form and a small head. What learns faster from
# scratch is on: the paper's residual units, BN that trains, also behind the thin map's convs, a
# high learning rate, heavier box losses. RoIs are sampled at random, gradients are as they come.
_base_ = ['../_base_/lighthead_fpn.py', '../_base_/coco.py', '../_base_/runtime.py']

data_root = '{{$DEMO_ROOT:data/demo}}'
num_classes = 8
max_epochs = 40
scale = (192, 192)

model = dict(
    backbone=dict(
        residual=True, frozen_stages=-1, norm_eval=False, norm_cfg=dict(requires_grad=True)
    ),
    neck=dict(out_channels=64, num_outs=3, norm_cfg=dict(type='BN')),
    rpn_head=dict(
        feat_channels=64,
        anchor_generator=dict(scales=[2, 4]),
        loss_bbox=dict(loss_weight=5.0),
    ),
    roi_head=dict(
        thin_map=dict(
            mid_channels=16, kernel_size=5, norm_cfg=dict(type='BN'), gradient_factor=1.0
        ),
        bbox_roi_extractor=dict(finest_scale=28),
        bbox_head=dict(
            num_classes=num_classes, fc_out_channels=256, loss_bbox=dict(loss_weight=3.0)
        ),
    ),
    train_cfg=dict(
        rpn=dict(assigner=dict(min_pos_iou=0.3)),
        rpn_proposal=dict(nms_pre=200, max_per_img=200),
        rcnn=dict(
            sampler=dict(
                _delete_=True, type='RandomSampler', num=64, pos_fraction=0.5, neg_pos_ub=-1,
                add_gt_as_proposals=True,
            )
        ),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=200), rcnn=dict(score_thr=0.05)),
)  # fmt: skip
train_pipeline = [
    dict(type='CheckedLoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomChoiceResize', scales=[(160, 160), scale, (224, 224)], keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='CheckedLoadImage'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        type='DemoDataset',
        data_root=data_root,
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='train/'),
        filter_cfg=dict(_delete_=True, filter_empty_gt=False),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(
        type='DemoDataset',
        data_root=data_root,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='val/'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{data_root}/annotations/instances_val.json')
test_evaluator = val_evaluator

train_cfg = dict(type='ResumableTrainLoop', max_epochs=max_epochs, val_interval=8)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=8e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),
    clip_grad=dict(max_norm=10, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs,
        eta_min_ratio=0.01, convert_to_iter_based=True,
    ),
]  # fmt: skip
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=8, max_keep_ckpts=2))

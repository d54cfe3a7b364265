# Can the detector learn a real data set by heart? ShuffleNet V2 0.5x on a small COCO-format set,
# trained and evaluated on the same images at a size that a CPU bears. Start from weights with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE and point OVERFIT_ROOT at the images.
_base_ = './lighthead_snv2_demo.py'

data_root = '{{$OVERFIT_ROOT:data/overfit}}'
ann_file = 'instances_train2017.json'
num_classes = 80
max_epochs = 70
scale = (416, 320)

model = dict(
    # The range that FastestDet's backbone was trained on: BGR / 255.
    data_preprocessor=dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0], bgr_to_rgb=False),
    backbone=dict(arch='0.5x', init_cfg=dict(type='Pretrained', checkpoint='')),
    neck=dict(out_channels=96),
    rpn_head=dict(feat_channels=96),
    roi_head=dict(
        thin_map=dict(
            norm_cfg=None, init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform')
        ),
        bbox_head=dict(num_classes=num_classes, fc_out_channels=512),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=300, max_per_img=300), rcnn=dict(sampler=dict(num=128))
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=300)),
)
train_pipeline = [
    dict(type='CheckedLoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=scale, keep_ratio=True),
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
dataset = dict(
    type='CheckedCocoDataset',
    data_root=data_root,
    ann_file=ann_file,
    data_prefix=dict(img='train2017/'),
    filter_cfg=dict(_delete_=True, filter_empty_gt=True),
)
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{data_root}/{ann_file}')
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=max_epochs, val_interval=10)
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs,
        eta_min_ratio=0.01, convert_to_iter_based=True,
    ),
]  # fmt: skip
default_hooks = dict(checkpoint=dict(interval=10))

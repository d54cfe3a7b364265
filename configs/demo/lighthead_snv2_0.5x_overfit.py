# Can the detector learn a real data set by heart? ShuffleNet V2 0.5x on a small COCO-format set,
# trained and evaluated on the same images at a size that a CPU bears. Start from weights with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE and point OVERFIT_ROOT at the images.
_base_ = './lighthead_snv2_demo.py'

data_root = '{{$OVERFIT_ROOT:data/overfit}}'
ann_file = 'instances_train2017.json'
num_classes = 80
max_epochs = 150
scale = (416, 320)

model = dict(
    # The range that FastestDet's backbone was trained on: BGR / 255.
    data_preprocessor=dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0], bgr_to_rgb=False),
    backbone=dict(arch='0.5x', last_dilation=2, init_cfg=dict(type='Pretrained', checkpoint='')),
    rpn_head=dict(anchor_generator=dict(scales=[1, 2, 4, 8, 16])),
    roi_head=dict(
        bbox_head=dict(num_classes=num_classes, fc_out_channels=1024),
    ),
    train_cfg=dict(rcnn=dict(sampler=dict(num=256))),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
dataset = dict(
    type='CocoDataset',
    data_root=data_root,
    ann_file=ann_file,
    data_prefix=dict(img='train2017/'),
    filter_cfg=dict(_delete_=True, filter_empty_gt=True),
)
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{data_root}/{ann_file}')
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=max_epochs, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=10))

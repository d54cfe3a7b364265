# What NanoDet-m and NanoDet-Plus-m share. Pictures stay BGR; a border is padded with the mean
# colour after the normalisation.
_base_ = ['./coco.py', './runtime.py']

num_classes = 80
model = dict(
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[103.53, 116.28, 123.675],
        std=[57.375, 57.12, 58.395],
        bgr_to_rgb=False,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='ShuffleNetV2',
        arch='1.0x',
        out_indices=(1, 2, 3),
        act_cfg=dict(type='LeakyReLU', negative_slope=0.1),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x1_0'),
    ),
    neck=dict(out_channels=96),
    bbox_head=dict(
        num_classes=num_classes,
        in_channels=96,
        feat_channels=96,
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_dfl=dict(type='DistributionFocalLoss', loss_weight=0.25),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
    test_cfg=dict(
        nms_pre=1000, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100
    ),
)
affine = dict(
    type='RandomAffine', scaling_ratio_range=(0.6, 1.4), max_translate_ratio=0.2,
    max_rotate_degree=0.0, max_shear_degree=0.0, border_val=(0, 0, 0),
)  # fmt: skip
photometric = [
    dict(type='RandomFlip', prob=0.5),
    dict(type='Brightness', prob=0.5, min_mag=0.6, max_mag=1.4),
    dict(type='Color', prob=0.5, min_mag=0.5, max_mag=1.2),
    dict(type='PackDetInputs'),
]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=300, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# One step takes images of one size, with or without objects.
train_dataloader = dict(
    batch_sampler=None, dataset=dict(filter_cfg=dict(_delete_=True, filter_empty_gt=False))
)

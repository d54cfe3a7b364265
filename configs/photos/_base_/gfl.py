# GFL with two convs a branch, a BN for each level; anchors of 5 strides, usual for low resolutions.
model = dict(
    type='GFL',
    bbox_head=dict(
        type='GFLSepBNHead',
        in_channels=96,
        feat_channels=96,
        stacked_convs=2,
        norm_cfg=dict(type='BN'),
        anchor_generator=dict(
            type='AnchorGenerator', ratios=[1.0], octave_base_scale=5, scales_per_octave=1,
            strides=[8, 16, 32, 64],
        ),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_dfl=dict(type='DistributionFocalLoss', loss_weight=0.25),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        reg_max=7,
    ),
    train_cfg=dict(
        assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1, debug=False
    ),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.02, nms=dict(type='nms', iou_threshold=0.6),
        max_per_img=100,
    ),
)  # fmt: skip

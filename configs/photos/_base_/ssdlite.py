# SSDLite, for 320 px: six levels at strides 16 to 320, depthwise convs.
_base_ = []

from shufflenet_det.archs import out_channels

in_channels = tuple(out_channels('1.0x', (2, 3)))
level_channels = (*in_channels, 512, 256, 256, 128)
norm_act = dict(norm_cfg=dict(type='BN'), act_cfg=dict(type='ReLU6'))
model = dict(
    type='SingleStageDetector',
    neck=dict(
        type='SSDNeck', in_channels=in_channels, out_channels=level_channels,
        level_strides=(2, 2, 2, 2), level_paddings=(1, 1, 1, 1), l2_norm_scale=None,
        use_depthwise=True, **norm_act,
    ),
    bbox_head=dict(
        type='SSDHead',
        in_channels=level_channels,
        use_depthwise=True,
        **norm_act,
        anchor_generator=dict(
            type='SSDAnchorGenerator', scale_major=False,
            strides=[16, 32, 64, 107, 160, 320],
            ratios=[[2, 3]] * 6,
            min_sizes=[48, 100, 150, 202, 253, 304],
            max_sizes=[100, 150, 202, 253, 304, 320],
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
    ),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.0,
            ignore_iof_thr=-1, gt_max_assign_all=False,
        ),
        sampler=dict(type='PseudoSampler'),
        smoothl1_beta=1.0,
        allowed_border=-1,
        pos_weight=-1,
        neg_pos_ratio=3,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.02, nms=dict(type='nms', iou_threshold=0.45),
        max_per_img=100,
    ),
)  # fmt: skip

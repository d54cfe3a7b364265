# Light-Head R-CNN (arXiv 1711.07264), setting S (small, fast backbone), single level.
# The RPN reads C4, the thin map of 490 channels is made from C5 at stride 32. in_channels and
# strides are read from the backbone. What differs from the paper and its code: configs/README.md.
num_classes = 80
model = dict(
    type='LightHeadRCNN',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='ShuffleNetV2',
        arch='1.0x',
        out_indices=(2, 3),
        output_stride=32,
        frozen_stages=1,
        norm_eval=True,
        norm_cfg=dict(type='BN', requires_grad=False),
    ),
    rpn_head=dict(
        type='LevelRPNHead',
        in_indices=(0,),
        feat_channels=256,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[2, 4, 8, 16, 32], ratios=[0.5, 1.0, 2.0]
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[1.0, 1.0, 1.0, 1.0]),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
        loss_bbox=dict(type='SmoothL1Loss', beta=1 / 9),
    ),
    roi_head=dict(
        type='LightHeadRoIHead',
        in_indices=(1,),
        thin_map=dict(
            type='LargeSeparableConv2d', mid_channels=64, out_channels=490, gradient_factor=3.0
        ),
        bbox_roi_extractor=dict(
            type='PSRoIExtractor',
            roi_layer=dict(type='PSRoIAlign', output_size=7, sampling_ratio=2),
            out_channels=10,
        ),
        bbox_head=dict(
            type='ConvFCBBoxHead',
            num_shared_fcs=1,
            fc_out_channels=2048,
            in_channels=10,
            roi_feat_size=7,
            num_classes=num_classes,
            reg_class_agnostic=True,
            bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False),
            loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=2.0),
        ),
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(
                type='MaxIoUAssigner',
                pos_iou_thr=0.7,
                neg_iou_thr=0.3,
                # The best anchor of each box is positive; at 0 a box that overlaps none would
                # make every anchor positive.
                min_pos_iou=1e-6,
                match_low_quality=True,
                ignore_iof_thr=-1,
            ),
            sampler=dict(
                type='RandomSampler', num=256, pos_fraction=0.5, neg_pos_ub=-1,
                add_gt_as_proposals=False,
            ),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        rpn_proposal=dict(
            nms_pre=12000, max_per_img=2000, nms=dict(type='nms', iou_threshold=0.7),
            min_bbox_size=0,
        ),
        rcnn=dict(
            assigner=dict(
                type='MaxIoUAssigner',
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
                match_low_quality=False,
                ignore_iof_thr=-1,
            ),
            sampler=dict(type='LightHeadOHEMSampler', num=256),
            pos_weight=-1,
            debug=False,
        ),
    ),
    test_cfg=dict(
        rpn=dict(
            nms_pre=6000, max_per_img=1000, nms=dict(type='nms', iou_threshold=0.7),
            min_bbox_size=0,
        ),
        # The paper's score threshold is 0; 0.001 spares most of the 80 x 1000 candidates.
        rcnn=dict(
            score_thr=0.001, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100
        ),
    ),
)  # fmt: skip

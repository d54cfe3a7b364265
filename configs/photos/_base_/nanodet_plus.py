# NanoDet-Plus: depthwise towers of each level's own, guided assignment.
model = dict(
    type='NanoDetPlus',
    bbox_head=dict(
        type='NanoDetPlusHead',
        in_channels=96,
        feat_channels=96,
        anchor_generator=dict(type='MlvlPointGenerator', strides=[8, 16, 32, 64], offset=0),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_dfl=dict(type='DistributionFocalLoss', loss_weight=0.25),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
    aux_head=dict(type='AssignGuidanceHead'),
    train_cfg=dict(
        assigner=dict(type='DynamicSoftLabelAssigner', topk=13, soft_center_radius=1000)
    ),
    test_cfg=dict(
        nms_pre=1000, score_thr=0.02, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100
    ),
)

# YOLOX's head with two convs a branch, on the same pyramid.
model = dict(
    type='YOLOX',
    bbox_head=dict(
        type='YOLOXHead', in_channels=96, feat_channels=96, stacked_convs=2,
        strides=(8, 16, 32, 64), act_cfg=dict(type='ReLU', inplace=True),
    ),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(score_thr=0.02, nms=dict(type='nms', iou_threshold=0.65), max_per_img=100),
)  # fmt: skip

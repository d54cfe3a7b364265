# Faster R-CNN on the same pyramid: RoI align of its 96 channels and two layers of 256.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

model = dict(
    rpn_head=dict(
        in_channels=96, feat_channels=96,
        anchor_generator=dict(scales=[2, 4], strides=[8, 16, 32, 64]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=96, featmap_strides=[8, 16, 32], finest_scale=28),
        bbox_head=dict(in_channels=96, fc_out_channels=256, reg_class_agnostic=True),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=300), rcnn=dict(sampler=dict(num=128)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=300), rcnn=dict(score_thr=0.02)),
)  # fmt: skip

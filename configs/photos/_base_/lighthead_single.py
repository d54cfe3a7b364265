# Light-Head R-CNN on one level, as in the paper: RPN on C4, thin map of C5, both at stride 16.
_base_ = '../../_base_/lighthead_s.py'

bins = 5
model = dict(
    rpn_head=dict(
        feat_channels=64,
        anchor_generator=dict(scales=[1, 2, 4, 8, 16]),
        loss_bbox=dict(loss_weight=2.0),
    ),
    roi_head=dict(
        thin_map=dict(
            mid_channels=16, kernel_size=5, out_channels=10 * bins**2,
            norm_cfg=dict(type='BN'),
            gradient_factor=1.0,
        ),
        bbox_roi_extractor=dict(roi_layer=dict(output_size=bins)),
        bbox_head=dict(fc_out_channels=256, roi_feat_size=bins),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=300),
        rcnn=dict(
            sampler=dict(
                _delete_=True, type='RandomSampler', num=128, pos_fraction=0.25, neg_pos_ub=-1,
                add_gt_as_proposals=True,
            ),
        ),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=300), rcnn=dict(score_thr=0.02)),
)  # fmt: skip

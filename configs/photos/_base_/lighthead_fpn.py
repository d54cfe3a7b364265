# Light-Head R-CNN on an FPN, made small for a CPU: 64 channels, 5 x 5 bins.
_base_ = '../../_base_/lighthead_fpn.py'

bins = 5
model = dict(
    neck=dict(out_channels=64, num_outs=4, norm_cfg=dict(type='BN')),
    rpn_head=dict(
        feat_channels=64, anchor_generator=dict(scales=[2, 4]), loss_bbox=dict(loss_weight=2.0)
    ),
    roi_head=dict(
        thin_map=dict(
            mid_channels=16, kernel_size=5, out_channels=10 * bins**2,
            norm_cfg=dict(type='BN'),
            gradient_factor=1.0,
        ),
        bbox_roi_extractor=dict(finest_scale=28, roi_layer=dict(output_size=bins)),
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

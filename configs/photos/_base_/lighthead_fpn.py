# Light-Head R-CNN on a pyramid of strides 8 to 64, made small for a CPU: 5 x 5 bins, 1,024 units.
_base_ = '../../_base_/lighthead_fpn.py'

bins = 5
model = dict(
    rpn_head=dict(
        feat_channels=96,
        anchor_generator=dict(scales=[2, 4]),
        loss_bbox=dict(loss_weight=10.0),
    ),
    roi_head=dict(
        thin_map=dict(
            mid_channels=32,
            kernel_size=5,
            out_channels=10 * bins**2,
            norm_cfg=dict(type='BN'),
            gradient_factor=1.0,
            init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
        ),
        bbox_roi_extractor=dict(finest_scale=28, roi_layer=dict(output_size=bins)),
        bbox_head=dict(
            fc_out_channels=1024, roi_feat_size=bins, reg_decoded_bbox=True,
            loss_bbox=dict(_delete_=True, type='GIoULoss', loss_weight=10.0),
        ),
    ),
    train_cfg=dict(
        rpn=dict(assigner=dict(pos_iou_thr=0.5, neg_iou_thr=0.4)),
        rpn_proposal=dict(nms_pre=500, max_per_img=300),
        rcnn=dict(
            sampler=dict(
                _delete_=True, type='RandomSampler', num=256, pos_fraction=0.25, neg_pos_ub=-1,
                add_gt_as_proposals=True,
            ),
        ),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=300), rcnn=dict(score_thr=0.02)),
)  # fmt: skip

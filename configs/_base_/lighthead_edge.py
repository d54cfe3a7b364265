# Light-Head R-CNN on a pyramid of strides 8, 16 and 32, made for one thread of a CPU: lateral 1 x 1
# convs alone, 3 x 3 bins of 8 channels, 128 units, 100 proposals. Anchors from 24 to 192 px.
_base_ = './lighthead_fpn.py'

bins, channels = 3, 64
model = dict(
    neck=dict(_delete_=True, type='NanoDetPAN', out_channels=channels),
    rpn_head=dict(feat_channels=channels, anchor_generator=dict(scales=[3, 6])),
    roi_head=dict(
        thin_map=dict(mid_channels=16, kernel_size=5, out_channels=8 * bins**2),
        bbox_roi_extractor=dict(
            finest_scale=28,
            out_channels=8,
            roi_layer=dict(output_size=bins),
        ),
        bbox_head=dict(fc_out_channels=128, in_channels=8, roi_feat_size=bins),
    ),
    train_cfg=dict(rpn_proposal=dict(nms_pre=1000, max_per_img=300)),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100), rcnn=dict(score_thr=0.02)),
)

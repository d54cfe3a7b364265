# FPN form of setting S: one RPN, one thin-map conv and PSRoI pooling shared by the levels.
# Levels at strides 8, 16, 32 and, for the RPN only, 64: the thin map at stride 4 alone would cost
# more than the whole detector. Anchors are 32^2 to 512^2 as in the single-level form.
_base_ = './lighthead_s.py'

model = dict(
    backbone=dict(out_indices=(1, 2, 3)),
    neck=dict(type='FPN', out_channels=128, add_extra_convs=False, num_outs=4),
    rpn_head=dict(in_indices=None, anchor_generator=dict(scales=[4, 8])),
    roi_head=dict(
        in_indices=(0, 1, 2),
        # finest_scale: RoIs below 112 px are pooled at stride 8, below 224 px at stride 16.
        bbox_roi_extractor=dict(finest_scale=56),
    ),
)

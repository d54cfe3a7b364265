# Setting L (large backbone): C5 at stride 16 by a dilated last stage (atrous), 256 channels inside
# the thin map's convs, 512 in the RPN.
_base_ = './lighthead_s.py'

model = dict(
    backbone=dict(output_stride=16),
    rpn_head=dict(feat_channels=512),
    roi_head=dict(thin_map=dict(mid_channels=256)),
)

# ShuffleNet V1-50 (arXiv 1807.11164, appendix table 2) with setting L.
_base_ = './lighthead_snv1_1.0x.py'

model = dict(
    backbone=dict(arch='50', output_stride=16),
    rpn_head=dict(feat_channels=512),
    roi_head=dict(thin_map=dict(mid_channels=256)),
)

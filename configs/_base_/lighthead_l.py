# Setting L (large backbone): 256 channels inside the thin map's convs, 512 in the RPN.
_base_ = './lighthead_s.py'

model = dict(rpn_head=dict(feat_channels=512), roi_head=dict(thin_map=dict(mid_channels=256)))

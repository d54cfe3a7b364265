# SE units: the net's own weights load, the SE layers start fresh, so BN adapts, nothing is frozen.
_base_ = './lighthead_snv2.py'

model = dict(
    backbone=dict(se=True, frozen_stages=-1, norm_eval=False, norm_cfg=dict(requires_grad=True))
)

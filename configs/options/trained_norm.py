# BN's scale and shift train; its running statistics stay fixed.
light_head = dict(backbone=dict(norm_cfg=dict(type='BN', requires_grad=True)))

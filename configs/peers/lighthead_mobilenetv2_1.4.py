_base_ = './lighthead_mobilenetv2_1.0.py'

model = dict(backbone=dict(widen_factor=1.4))

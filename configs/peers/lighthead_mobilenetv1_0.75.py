_base_ = './lighthead_mobilenetv1_1.0.py'

model = dict(backbone=dict(widen_factor=0.75))

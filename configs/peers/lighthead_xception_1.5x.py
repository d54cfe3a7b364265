_base_ = './lighthead_xception_1.0x.py'

model = dict(backbone=dict(arch='1.5x'))

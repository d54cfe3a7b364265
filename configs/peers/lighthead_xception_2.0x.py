_base_ = './lighthead_xception_1.0x.py'

model = dict(backbone=dict(arch='2.0x'))

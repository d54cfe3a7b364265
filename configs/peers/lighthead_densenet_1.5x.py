_base_ = './lighthead_densenet_1.0x.py'

model = dict(backbone=dict(arch='1.5x'))

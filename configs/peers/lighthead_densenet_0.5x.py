_base_ = './lighthead_densenet_1.0x.py'

model = dict(backbone=dict(arch='0.5x'))

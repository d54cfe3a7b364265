_base_ = './lighthead_snv2.py'

model = dict(
    backbone=dict(arch='1.5x', init_cfg=dict(checkpoint='torchvision://shufflenet_v2_x1_5'))
)

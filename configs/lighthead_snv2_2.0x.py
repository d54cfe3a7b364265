_base_ = './lighthead_snv2.py'

model = dict(
    backbone=dict(arch='2.0x', init_cfg=dict(checkpoint='torchvision://shufflenet_v2_x2_0'))
)

_base_ = './lighthead_snv2.py'

model = dict(
    backbone=dict(arch='0.5x', init_cfg=dict(checkpoint='torchvision://shufflenet_v2_x0_5'))
)

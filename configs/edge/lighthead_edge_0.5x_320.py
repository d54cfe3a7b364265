# Light-Head R-CNN for one thread of a CPU, ShuffleNet V2 0.5x, 320 px, COCO.
_base_ = './_base_/edge_320.py'

model = dict(
    backbone=dict(
        arch='0.5x',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x0_5'),
    )
)

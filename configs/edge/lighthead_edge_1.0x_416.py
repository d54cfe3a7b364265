# Light-Head R-CNN for one thread of a CPU, ShuffleNet V2 1.0x, 416 px, COCO.
_base_ = './_base_/edge_416.py'

model = dict(
    backbone=dict(
        arch='1.0x',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x1_0'),
    )
)

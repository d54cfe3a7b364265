# Light-Head R-CNN for one thread of a CPU, ShuffleNet V2 0.5x, 416 px, COCO.
_base_ = './_base_/edge_416.py'

model = dict(
    backbone=dict(
        arch='0.5x',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x0_5'),
    )
)

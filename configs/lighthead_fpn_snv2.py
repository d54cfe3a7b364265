# Light-Head R-CNN on a feature pyramid, ShuffleNet V2 1.0x, COCO, the paper's protocol.
_base_ = [
    './_base_/lighthead_fpn.py',
    './_base_/coco.py',
    './_base_/schedule_paper.py',
    './_base_/runtime.py',
]

model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x1_0'))
)

# Light-Head R-CNN, setting S, ShuffleNet V2 1.0x, COCO, the paper's protocol:
# 8 GPUs x 2 images = 16 a step at lr 0.01; 1.5M / 117,266 images = 12.8, so lr / 10 after epoch 13;
# 2.0M / 117,266 = 17.1, so 17 epochs (_base_/schedule_paper.py). Other batches: --auto-scale-lr.
_base_ = [
    './_base_/lighthead_s.py',
    './_base_/coco.py',
    './_base_/schedule_paper.py',
    './_base_/runtime.py',
]

model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x1_0'))
)

# Mask R-CNN with FPN, ShuffleNet V2 1.0x with SE; the SE layers start fresh, nothing is frozen.
_base_ = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'

from shufflenet_det.archs import out_channels

custom_imports = dict(imports=['shufflenet_det'])
arch, out_indices = '1.0x', (0, 1, 2, 3)
model = dict(
    backbone=dict(
        _delete_=True, type='ShuffleNetV2', arch=arch, out_indices=out_indices, se=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x1_0'),
    ),
    neck=dict(in_channels=out_channels(arch, out_indices)),
)  # fmt: skip

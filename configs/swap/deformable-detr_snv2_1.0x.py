# Deformable DETR, ShuffleNet V2 1.0x; 32 images, lr 0.0002.
_base_ = 'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py'

from shufflenet_det.archs import out_channels

custom_imports = dict(imports=['shufflenet_det'])
arch, out_indices = '1.0x', (1, 2, 3)
model = dict(
    backbone=dict(
        _delete_=True, type='ShuffleNetV2', arch=arch, out_indices=out_indices,
        frozen_stages=1, norm_eval=True, norm_cfg=dict(type='BN', requires_grad=False),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x1_0'),
    ),
    neck=dict(in_channels=out_channels(arch, out_indices)),
)  # fmt: skip

# YOLOX-tiny from scratch, ShuffleNet V2 1.0x; 64 images, lr 0.01.
_base_ = 'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py'

from shufflenet_det.archs import out_channels

custom_imports = dict(imports=['shufflenet_det'])
arch, out_indices = '1.0x', (1, 2, 3)
model = dict(
    backbone=dict(
        _delete_=True, type='ShuffleNetV2', arch=arch, out_indices=out_indices,
        norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
    ),
    neck=dict(in_channels=out_channels(arch, out_indices)),
)  # fmt: skip

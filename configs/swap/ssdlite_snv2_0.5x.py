# SSDLite from scratch, ShuffleNet V2 0.5x; the neck hands C4 and C5 on to the head.
_base_ = 'mmdet::ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py'

from shufflenet_det.archs import out_channels

custom_imports = dict(imports=['shufflenet_det'])
arch, out_indices = '0.5x', (2, 3)
in_channels = tuple(out_channels(arch, out_indices))
level_channels = (*in_channels, 512, 256, 256, 128)
model = dict(
    backbone=dict(
        _delete_=True, type='ShuffleNetV2', arch=arch, out_indices=out_indices,
        norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
    ),
    neck=dict(in_channels=in_channels, out_channels=level_channels),
    bbox_head=dict(in_channels=level_channels),
)  # fmt: skip

# RTMDet-tiny, ShuffleNet V2 0.5x; 256 images, lr 0.004.
_base_ = 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'

from shufflenet_det.archs import out_channels

custom_imports = dict(imports=['shufflenet_det'])
arch, out_indices = '0.5x', (1, 2, 3)
model = dict(
    data_preprocessor=dict(  # what torchvision's weights were trained on
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True,
    ),
    backbone=dict(
        _delete_=True, type='ShuffleNetV2', arch=arch, out_indices=out_indices,
        norm_cfg=dict(type='SyncBN'),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x0_5'),
    ),
    neck=dict(in_channels=out_channels(arch, out_indices)),
)  # fmt: skip

# FCOS, ShuffleNet V2 1.0x; 16 images, lr 0.01.
_base_ = 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'

from shufflenet_det.archs import out_channels

custom_imports = dict(imports=['shufflenet_det'])
arch, out_indices = '1.0x', (0, 1, 2, 3)
model = dict(
    data_preprocessor=dict(  # what torchvision's weights were trained on
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True,
    ),
    backbone=dict(
        _delete_=True, type='ShuffleNetV2', arch=arch, out_indices=out_indices,
        frozen_stages=1, norm_eval=True, norm_cfg=dict(type='BN', requires_grad=False),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x1_0'),
    ),
    neck=dict(in_channels=out_channels(arch, out_indices)),
)  # fmt: skip

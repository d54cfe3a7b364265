# RetinaNet, ShuffleNet V2* 1.0x (larger receptive field); 16 images, lr 0.01.
_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'

from shufflenet_det.archs import out_channels

custom_imports = dict(imports=['shufflenet_det'])
arch, out_indices = '1.0x', (0, 1, 2, 3)
model = dict(
    backbone=dict(
        _delete_=True, type='ShuffleNetV2', arch=arch, out_indices=out_indices,
        frozen_stages=1, norm_eval=True, large_receptive_field=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://shufflenet_v2_x1_0'),
    ),
    neck=dict(in_channels=out_channels(arch, out_indices)),
)  # fmt: skip

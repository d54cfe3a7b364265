# ResNet-50 (stride in the 1x1 conv, as in the 3.8G macs of the paper) with setting L.
_base_ = [
    '../_base_/lighthead_l.py',
    '../_base_/coco.py',
    '../_base_/schedule_paper.py',
    '../_base_/runtime.py',
]

model = dict(
    # What the weights were trained on: BGR without scaling.
    data_preprocessor=dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False),
    backbone=dict(
        _delete_=True,
        type='LevelResNet',
        depth=50,
        style='caffe',
        out_indices=(2, 3),
        output_stride=16,
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=False),
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://detectron2/resnet50_caffe'),
    ),
)

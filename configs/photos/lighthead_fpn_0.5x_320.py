# Light-Head R-CNN on a pyramid, ShuffleNet V2 0.5x, 320 px.
_base_ = ['_base_/lighthead_fpn.py', '_base_/snv2_0.5x.py', '_base_/photos.py']

num_classes = _base_.photo_classes
model = dict(
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(norm_cfg=dict(type='BN'), out_channels=96),
    roi_head=dict(bbox_head=dict(num_classes=num_classes)),
)

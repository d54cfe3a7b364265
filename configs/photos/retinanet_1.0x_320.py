# RetinaNet, ShuffleNet V2 1.0x, 320 px.
_base_ = ['_base_/retinanet.py', '_base_/snv2_1.0x.py', '_base_/photos.py']

num_classes = _base_.photo_classes
model = dict(
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=_base_.neck,
    bbox_head=dict(num_classes=num_classes),
)

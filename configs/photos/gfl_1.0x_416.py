# GFL, ShuffleNet V2 1.0x, 416 px.
_base_ = ['_base_/gfl.py', '_base_/snv2_1.0x.py', '_base_/photos_416.py']

num_classes = _base_.photo_classes
model = dict(
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=_base_.neck,
    bbox_head=dict(num_classes=num_classes),
)

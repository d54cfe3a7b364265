# SSDLite, ShuffleNet V2 1.0x, 320 px.
_base_ = ['_base_/ssdlite.py', '_base_/snv2_1.0x.py', '_base_/photos.py']

num_classes = _base_.photo_classes
model = dict(
    data_preprocessor=_base_.data_preprocessor,
    backbone=dict(_base_.backbone, out_indices=(2, 3)),
    bbox_head=dict(num_classes=num_classes),
)

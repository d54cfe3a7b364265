# Light-Head R-CNN on one level, ShuffleNet V2 0.5x, 320 px.
_base_ = ['_base_/lighthead_single.py', '_base_/snv2_0.5x.py', '_base_/photos.py']

num_classes = _base_.photo_classes
model = dict(
    data_preprocessor=_base_.data_preprocessor,
    backbone=dict(_base_.backbone, out_indices=(2, 3), output_stride=16),
    roi_head=dict(bbox_head=dict(num_classes=num_classes)),
)

# Your own data in Pascal VOC format: set the classes and the folder, both once. An example to run:
# python tools/make_demo_data.py --format voc --root data/my_voc
# Images of usual size: _base_ = '../lighthead_fpn_snv2.py', which starts from ImageNet weights.
_base_ = '../demo/lighthead_snv2_demo.py'
classes = ('disk', 'ring', 'square', 'triangle', 'star', 'cross', 'crescent', 'heart')
data_root = 'data/my_voc'

num_classes = len(classes)
data = dict(
    type='CheckedVOCDataset', data_root=data_root, metainfo=dict(classes=classes),
    data_prefix=dict(_delete_=True, sub_data_root=''),
)  # fmt: skip
model = dict(roi_head=dict(bbox_head=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(**data, ann_file='ImageSets/Main/train.txt'))
val_dataloader = dict(dataset=dict(**data, ann_file='ImageSets/Main/val.txt'))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='VOCMetric', metric='mAP', eval_mode='area')
test_evaluator = val_evaluator

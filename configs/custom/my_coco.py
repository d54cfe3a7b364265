# Your own data in COCO format: set the classes and the paths, both once. An example to run:
# python tools/make_demo_data.py --root data/my_coco
# Images of usual size: _base_ = '../lighthead_fpn_snv2.py', which starts from ImageNet weights.
_base_ = '../demo/lighthead_snv2_demo.py'
classes = ('disk', 'ring', 'square', 'triangle', 'star', 'cross', 'crescent', 'heart')
data_root = 'data/my_coco'
train = dict(ann_file='annotations/instances_train.json', data_prefix=dict(img='train/'))
val = dict(ann_file='annotations/instances_val.json', data_prefix=dict(img='val/'))

num_classes = len(classes)
data = dict(type='CheckedCocoDataset', data_root=data_root, metainfo=dict(classes=classes))
model = dict(roi_head=dict(bbox_head=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=dict(**data, **train))
val_dataloader = dict(dataset=dict(**data, **val))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{data_root}/{val["ann_file"]}')
test_evaluator = val_evaluator

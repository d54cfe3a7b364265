# NanoDet-Plus-m on your own data in COCO format, from its COCO weights: set the classes and the
# paths. 16 images a step instead of 96: lr 0.001 * 16 / 96; 20 epochs. An example to run:
# python tools/make_demo_data.py --root data/my_coco
_base_ = '../nanodet/nanodet_plus_m_320.py'
classes = ('disk', 'ring', 'square', 'triangle', 'star', 'cross', 'crescent', 'heart')
data_root = 'data/my_coco'
train = dict(ann_file='annotations/instances_train.json', data_prefix=dict(img='train/'))
val = dict(ann_file='annotations/instances_val.json', data_prefix=dict(img='val/'))

num_classes = len(classes)
data = dict(type='CheckedCocoDataset', data_root=data_root, metainfo=dict(classes=classes))
model = dict(bbox_head=dict(num_classes=num_classes), detach_epoch=1)
train_dataloader = dict(batch_size=16, num_workers=2, dataset=dict(**data, **train))
val_dataloader = dict(dataset=dict(**data, **val))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{data_root}/{val["ann_file"]}')
test_evaluator = val_evaluator
epochs = 20
train_cfg = dict(max_epochs=epochs, val_interval=1)
optim_wrapper = dict(optimizer=dict(lr=1e-3 * 16 / 96))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=epochs, eta_min=1e-5),
]
auto_scale_lr = dict(base_batch_size=16)

# Pictures at 320 px, 8 GPUs x 8 images = 64 a step at lr 0.04, the paper's schedule otherwise.
_base_ = [
    '../../_base_/lighthead_edge.py',
    '../../_base_/coco.py',
    '../../_base_/schedule_paper.py',
    '../../_base_/runtime.py',
]

size = 320
resized = dict(scale=(size, size))
train_pipeline, test_pipeline = (
    [dict(step, **resized) if 'scale' in step else step for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.04))
auto_scale_lr = dict(base_batch_size=64)

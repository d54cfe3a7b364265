# The same at 416 px.
_base_ = './photos.py'

size = 416
scale = dict(scale=(size, size))
train_pipeline, test_pipeline = (
    [dict(step, **scale) if 'scale' in step else step for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# The same at 416 px, with 200 proposals.
_base_ = './edge_320.py'

size = 416
resized = dict(scale=(size, size))
train_pipeline, test_pipeline = (
    [dict(step, **resized) if 'scale' in step else step for step in pipeline]
    for pipeline in (_base_.train_pipeline, _base_.test_pipeline)
)
model = dict(test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=200)))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

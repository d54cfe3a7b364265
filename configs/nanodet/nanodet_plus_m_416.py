# NanoDet-Plus-m at 416x416.
_base_ = './nanodet_plus_m_320.py'

size = (416, 416)
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[2].scale = [(333, 333), (499, 499)]
train_pipeline[4].crop_size = train_pipeline[5].size = test_pipeline[1].scale = size
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# NanoDet-m at 416x416; smaller pictures in training than at 320: scaled by 0.5 to 1.4.
_base_ = './nanodet_m_320.py'

size = (416, 416)
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[2].scale = train_pipeline[3].size = test_pipeline[1].scale = size
train_pipeline[4].scaling_ratio_range = (0.5, 1.4)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

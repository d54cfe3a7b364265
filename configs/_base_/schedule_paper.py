# arXiv 1711.07264: 8 GPUs x 2 images = 16 per step, lr 0.01 for 1.5M images, then 0.001 for 0.5M,
# warm-up over 500 iterations from 1/3. COCO train2017 has 117,266 images with objects:
# 1.5M / 117,266 = 12.8 -> drop after epoch 13; 2.0M / 117,266 = 17.1 -> stop after epoch 17.
# Other batch sizes: --auto-scale-lr.
train_cfg = dict(type='ResumableTrainLoop', max_epochs=17, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=17, milestones=[13], gamma=0.1),
]
auto_scale_lr = dict(enable=False, base_batch_size=16)

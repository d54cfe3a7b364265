# Test-time augmentation: the config's test scale and 1.25 times it, each also flipped.
tta = dict(ratios=(1.0, 1.25))
tta_model = dict(
    type='DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)
)

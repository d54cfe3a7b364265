# The hardest RoIs by the losses as they are trained, the box loss doubled.
light_head = dict(train_cfg=dict(rcnn=dict(sampler=dict(weighted=True))))

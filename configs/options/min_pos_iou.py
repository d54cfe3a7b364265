# The best anchor of a box is positive from IoU 0.3 on only: small boxes may get none.
light_head = dict(train_cfg=dict(rpn=dict(assigner=dict(min_pos_iou=0.3))))

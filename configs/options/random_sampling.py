# RoIs drawn at random, a quarter of them positive, instead of the hardest of each image.
light_head = dict(
    train_cfg=dict(
        rcnn=dict(
            sampler=dict(
                _delete_=True, type='RandomSampler', num=256, pos_fraction=0.25, neg_pos_ub=-1,
                add_gt_as_proposals=True,
            )
        )
    )
)  # fmt: skip

# The Xception-like net of Light-Head R-CNN with setting S. From scratch, or with
# --cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
_base_ = [
    '../_base_/lighthead_s.py',
    '../_base_/coco.py',
    '../_base_/schedule_paper.py',
    '../_base_/runtime.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='Xception',
        arch='1.0x',
        out_indices=(2, 3),
    )
)

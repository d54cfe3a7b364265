# MobileNet V2 with setting S. Trained from scratch, or give weights with --cfg-options
# model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
_base_ = [
    '../_base_/lighthead_s.py',
    '../_base_/coco.py',
    '../_base_/schedule_paper.py',
    '../_base_/runtime.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='LevelMobileNetV2',
        widen_factor=1.0,
        out_indices=(2, 3),
    )
)

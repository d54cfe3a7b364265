# ShuffleNet V2-50 with setting L. No public weights exist: trained from scratch, or give
# --cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
_base_ = [
    './_base_/lighthead_l.py',
    './_base_/coco.py',
    './_base_/schedule_paper.py',
    './_base_/runtime.py',
]

model = dict(
    backbone=dict(arch='50', frozen_stages=-1, norm_eval=False, norm_cfg=dict(requires_grad=True))
)

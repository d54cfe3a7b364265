"""What cannot be swapped is refused with its true cause and a remedy."""

import pytest
from mmdet.utils import register_all_modules
from mmengine.config import Config

from shufflenet_det.detectors.swap import backbone_config, read_config, swap_backbone

RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'


@pytest.fixture(autouse=True)
def registered():
    register_all_modules()


def changed(**settings) -> Config:
    cfg = read_config(RETINANET)
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in settings.items()})
    return cfg


def wrong_second_neck() -> Config:
    cfg = read_config('mmdet::dyhead/atss_r50_fpn_dyhead_1x_coco.py')
    cfg.model.neck[1].in_channels = 99
    return cfg


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: changed(model__neck__in_channels=[1, 2, 3, 4]),
         r'cannot tell what reads.*neck.in_channels=\[1, 2, 3, 4\]. Set the backbone by hand, and '
         r'in_channels of what reads it to \[24, 116, 232, 464\]'),
        (lambda: read_config('mmdet::mask_rcnn/mask-rcnn_r50-caffe-c4_1x_coco.py'),
         r'shared_head \(ResLayer\) is the last stage of the old .*\[1024\].*take the FPN or DC5'),
        (lambda: read_config('mmdet::cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco.py'),
         r'HourglassNet hands out strides \[4, 4\]; ours have each of \[4, 8, 16, 32\] once'),
        (lambda: read_config('mmdet::detectors/htc_r50-rfp_1x_coco.py'),
         r'strides \[1, 4, 8, 16, 32\].*the neck RFP runs through the backbone again; take the'),
        (lambda: read_config('mmdet::rtmdet/rtmdet_x_p6_4xb8-300e_coco.py'),
         r'strides \[8, 16, 32, 64\].*take the config of this detector without the deeper levels'),
        (lambda: read_config('mmdet::v3det/fcos_swinb_fpn_8x4_sample1e-3_mstrain_v3det_2x.py'),
         r'neck \(FPN: .*force_grad_on_level.*fails with the old backbone too; mend the config'),
        (lambda: wrong_second_neck(), r'neck\[1\] \(DyHead: .*fails with the old backbone too'),
        (lambda: changed(model__backbone__type='NoNet'), 'backbone NoNet.*cannot be tried out'),
        (lambda: read_config('mmdet::retinanet/retinanet_tta.py'), 'no model.backbone or model.de'),
        (lambda: read_config('mmdet::rtmdet/rtmdet_l_swin_b_4xb32-100e_coco.py'),
         r'neck \(CSPNeXtPAFPN.* must be .*GN of 32.*set model.neck.norm_cfg=dict\('),
    ],
)  # fmt: skip
def test_what_cannot_be_swapped_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        swap_backbone(make(), backbone_config('1.0x'))

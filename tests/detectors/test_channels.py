"""What a Light-Head R-CNN config leaves out is read from its backbone."""

import pytest
from mmdet.utils import register_all_modules

from shufflenet_det.detectors import levels
from shufflenet_det.detectors.channels import fill_from_backbone

SNV2 = dict(type='ShuffleNetV2', arch='0.5x', out_indices=(2, 3), output_stride=16)
RESNET = dict(type='ResNet', depth=18, out_indices=(2, 3), strides=(1, 2, 2, 1))


@pytest.fixture(autouse=True)
def registered():
    register_all_modules()


def heads() -> tuple[dict, dict]:
    """An RPN on the first level and a RoI head on the last, without channels and strides."""
    rpn_head = dict(in_indices=(0,), anchor_generator={})
    return rpn_head, dict(thin_map={}, bbox_roi_extractor={})


@pytest.mark.parametrize('backbone, channels', [(SNV2, (96, 192)), (RESNET, (256, 512))])
def test_channels_are_as_published_or_as_tried_out(backbone, channels):
    _, rpn_head, roi_head = fill_from_backbone(backbone, None, *heads())
    assert (rpn_head['in_channels'], roi_head['thin_map']['in_channels']) == channels
    assert rpn_head['anchor_generator']['strides'] == [16]
    assert roi_head['bbox_roi_extractor']['featmap_strides'] == [16]


def test_what_the_config_states_must_be_the_backbones():
    rpn_head, roi_head = heads()
    roi_head['bbox_roi_extractor']['featmap_strides'] = [32]
    message = r'model.roi_head.bbox_roi_extractor.featmap_strides=\[32\], but .* give \[16\]: write'
    with pytest.raises(ValueError, match=message):
        fill_from_backbone(RESNET, None, rpn_head, roi_head)


def test_a_backbone_that_cannot_be_tried_out_takes_the_config(monkeypatch):
    monkeypatch.setattr(levels, 'measured', lambda _: 1 / 0)
    _, rpn_head, _ = fill_from_backbone(RESNET, None, *heads())
    assert 'in_channels' not in rpn_head

"""A wrong in_channels is named when a detector is built, and nothing else is."""

import pytest
import torch
from mmdet.models import RetinaNet
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from shufflenet_det.detectors import channel_fields
from shufflenet_det.detectors.swap import read_config

OURS = dict(type='ShuffleNetV2', arch='0.5x')


@pytest.fixture(autouse=True)
def registered():
    register_all_modules()


def detector(name: str, backbone: dict, **changes) -> RetinaNet:
    """A detector of MMDetection on the meta device, its backbone swapped by hand."""
    cfg = read_config(f'mmdet::{name}.py')
    cfg.model.backbone = backbone
    cfg.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
    with torch.device('meta'):
        return MODELS.build(cfg.model)


RETINANET = 'retinanet/retinanet_r50_fpn_1x_coco'
SSDLITE = 'ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco'
LEVELS = (96, 192, 512, 256, 256, 128)


@pytest.mark.parametrize(
    'name, out_indices, changes, message',
    [
        (RETINANET, (0, 1, 2, 3), {}, r'neck.in_channels=\[256, 512, 1024, 2048\].*ShuffleNetV2 '
         r'.*hands out 4 levels of channels \[24, 48, 96, 192\].*write '
         r'model.neck.in_channels=\[24, 48, 96, 192\]'),
        (RETINANET, (1, 2, 3), {'neck.in_channels': [24, 48, 96, 192]},
         r'\(out_indices=\(1, 2, 3\)\) hands out 3 levels of channels \[48, 96, 192\]'),
        ('yolo/yolov3_d53_8xb8-320-273e_coco', (1, 2, 3), {'neck.in_channels': [48, 96, 192]},
         r'write model.neck.in_channels=\[192, 96, 48\]'),
        ('yolof/yolof_r50-c5_8xb8-1x_coco', (3,), {}, r'2048, but .*in_channels=192'),
        ('dyhead/atss_r50-caffe_fpn_dyhead_1x_coco', (0, 1, 2, 3), {}, r'model.neck\[0\].in_chan'),
        (SSDLITE, (2, 3), {'neck.in_channels': (96, 192), 'neck.out_channels': LEVELS},
         r'bbox_head.in_channels=\(96, 1280, .*write model.bbox_head.in_channels=\(96, 192, 512'),
        (RETINANET, (3,), {'neck': None}, r'bbox_head.in_channels=256.*bbox_head.in_channels=192'),
    ],
)  # fmt: skip
def test_wrong_in_channels_names_both_numbers_and_the_fix(name, out_indices, changes, message):
    with pytest.raises(ValueError, match=message):
        detector(name, dict(OURS, out_indices=out_indices), **changes)


@pytest.mark.parametrize(
    'name, out_indices, changes',
    [
        (RETINANET, (0, 1, 2, 3), {'neck.in_channels': [24, 48, 96, 192]}),
        ('yolo/yolov3_d53_8xb8-320-273e_coco', (1, 2, 3), {'neck.in_channels': [192, 96, 48]}),
        (SSDLITE, (2, 3), {'neck.in_channels': (96, 192), 'neck.out_channels': LEVELS,
                           'bbox_head.in_channels': LEVELS}),
        (RETINANET, (3,), {'neck': None, 'bbox_head.in_channels': 192}),
    ],
)  # fmt: skip
def test_right_in_channels_cost_no_trial(name, out_indices, changes, monkeypatch):
    monkeypatch.setattr(channel_fields, '_fails', None)
    assert detector(name, dict(OURS, out_indices=out_indices), **changes).backbone.out_channels


def test_backbones_that_publish_nothing_are_left_alone(monkeypatch):
    monkeypatch.setattr(channel_fields, 'neck_fields', None)
    assert detector(RETINANET, dict(type='ResNet', depth=18)).backbone.depth == 18


class LastLevels(RetinaNet):
    """Hands only the two deepest levels on."""

    def extract_feat(self, batch_inputs):
        return self.neck(self.backbone(batch_inputs)[2:])


def test_detector_that_arranges_levels_in_its_own_way_is_left_alone():
    MODELS.register_module(name='LastLevels', module=LastLevels, force=True)
    changes = {'type': 'LastLevels', 'neck.in_channels': [96, 192], 'neck.start_level': 0}
    built = detector(RETINANET, dict(OURS, out_indices=(0, 1, 2, 3)), **changes)
    assert isinstance(built, LastLevels)


def test_trial_leaves_the_detector_as_it_was():
    cfg = read_config(f'mmdet::{RETINANET}.py')
    cfg.model.backbone = OURS
    cfg.model.neck.in_channels = [24, 48, 96, 192]
    built = MODELS.build(cfg.model).train()
    assert not channel_fields._fails(built, channel_fields.ChannelField('neck', cfg.model.neck))
    assert built.backbone.training and next(built.parameters()).device.type == 'cpu'

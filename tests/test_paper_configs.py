"""Configs follow Light-Head R-CNN (arXiv 1711.07264) and its code; options leave single points."""

import pytest
import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.utils import register_all_modules
from mmengine.structures import InstanceData
from paths import ROOT
from torch import nn

from shufflenet_det.bench.detector_complexity import detector_complexity
from shufflenet_det.training.launch import load_config

SETTING_S = ['lighthead_snv2_0.5x', 'lighthead_snv2', 'lighthead_snv2star', 'lighthead_snv2_se',
             'peers/lighthead_xception_1.0x', 'peers/lighthead_mobilenetv2_1.4']  # fmt: skip
SETTING_L = ['lighthead_snv2_50', 'lighthead_se_snv2_164', 'peers/lighthead_resnet50',
             'peers/lighthead_snv1_50']  # fmt: skip
FROM_SCRATCH = ['lighthead_snv2_50', 'lighthead_snv2_se', 'peers/lighthead_snv1_1.0x',
                'demo/lighthead_snv2_demo']  # fmt: skip


@pytest.fixture(autouse=True, scope='module')
def mmdet_scope():
    register_all_modules()


def load(name: str, *options: str):
    cfg = load_config(ROOT / f'configs/{name}.py', named=options)
    cfg.model.backbone.init_cfg = None
    return cfg


def on_meta(name: str, *options: str) -> nn.Module:
    with torch.device('meta'):
        return MODELS.build(load(name, *options).model)


def dilations(backbone: nn.Module) -> set[int]:
    return {m.dilation[0] for m in backbone.modules() if isinstance(m, nn.Conv2d)}


@pytest.mark.parametrize('name', SETTING_S)
def test_setting_s_has_no_atrous_convs(name):
    backbone = on_meta(name).backbone
    assert backbone.out_strides == (16, 32) and dilations(backbone) == {1}


@pytest.mark.parametrize('name', SETTING_L)
def test_setting_l_is_atrous(name):
    backbone = on_meta(name).backbone
    assert backbone.out_strides == (16, 16) and dilations(backbone) == {1, 2}


@pytest.mark.parametrize(
    'name, options, backbone, thin_map, total',
    [
        ('lighthead_snv2', [], 2.34, 1.74, 7.37),
        ('lighthead_snv2', ['atrous'], 3.60, 6.96, 13.85),
        ('lighthead_snv2_0.5x', [], None, None, 3.92),
        ('lighthead_snv2_0.5x', ['atrous'], None, None, 7.88),
    ],
)
def test_macs_at_800x1216(name, options, backbone, thin_map, total):
    counted = detector_complexity(on_meta(name, *options).eval(), (800, 1216))
    macs = {part.name: part.total.macs / 1e9 for part in counted.parts}
    if backbone:
        assert macs['backbone'] == pytest.approx(backbone, abs=0.005)
        assert macs['thin map'] == pytest.approx(thin_map, abs=0.005)
    assert counted.total.macs / 1e9 == pytest.approx(total, abs=0.005)


def trained_norm_numbers(detector: nn.Module) -> int:
    norms = [m for m in detector.modules() if isinstance(m, nn.BatchNorm2d)]
    return sum(p.numel() for m in norms for p in m.parameters() if p.requires_grad)


@pytest.mark.parametrize('options, numbers', [([], 0), (['trained_norm'], 14_084)])
def test_numbers_of_bn_that_train(options, numbers):
    detector = on_meta('lighthead_snv2', *options).train()
    assert trained_norm_numbers(detector) == numbers
    assert not any(m.training for m in detector.modules() if isinstance(m, nn.BatchNorm2d))


@pytest.mark.parametrize('name', FROM_SCRATCH)
def test_what_starts_from_scratch_trains_its_bn(name):
    detector = on_meta(name).train()
    norms = [m for m in detector.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(m.training and m.weight.requires_grad and m.bias.requires_grad for m in norms)


POINTS = {
    'max_pooling': ('roi_head.bbox_roi_extractor.roi_layer.mode', None, 'max'),
    'min_pos_iou': ('train_cfg.rpn.assigner.min_pos_iou', 1e-6, 0.3),
    'plain_gradient': ('roi_head.thin_map.gradient_factor', 3.0, 1.0),
    'random_sampling': ('train_cfg.rcnn.sampler.type', 'LightHeadOHEMSampler', 'RandomSampler'),
    'weighted_ohem': ('train_cfg.rcnn.sampler.weighted', None, True),
}


@pytest.mark.parametrize('option', POINTS)
def test_option_sets_one_point(option):
    path, default, changed = POINTS[option]
    for options, expected in (([], default), ([option], changed)):
        node = load('lighthead_snv2', *options).model
        *parents, last = path.split('.')
        for parent in parents:
            node = node[parent]
        assert node.get(last) == expected


def positive_anchors(boxes: list[list[float]], *options: str) -> list[int]:
    """How many anchors of a 160x160 image each box gets."""
    model = load('lighthead_snv2', *options).model
    generator = TASK_UTILS.build(dict(model.rpn_head.anchor_generator, strides=[16]))
    priors = generator.grid_priors([(10, 10)], device='cpu')[0]
    found = TASK_UTILS.build(model.train_cfg.rpn.assigner).assign(
        InstanceData(priors=priors),
        InstanceData(bboxes=torch.tensor(boxes), labels=torch.zeros(len(boxes)).long()),
    )
    return [int((found.gt_inds == i + 1).sum()) for i in range(len(boxes))]


SMALL_BOXES = [[3.0, 5.0, 9.0, 11.0], [70.0, 80.0, 75.0, 84.0], [30.0, 30.0, 100.0, 100.0]]


def test_the_best_anchor_of_every_box_is_positive():
    assert min(positive_anchors(SMALL_BOXES)) > 0
    assert [n > 0 for n in positive_anchors(SMALL_BOXES, 'min_pos_iou')] == [False, False, True]


def test_a_box_without_area_gets_no_anchor():
    assert positive_anchors([[40.0, 40.0, 40.0, 60.0], SMALL_BOXES[0]])[0] == 0


def test_the_pyramid_refuses_the_atrous_option():
    with pytest.raises(ValueError, match=r'strides \[8, 16, 16\].* leave out the option atrous'):
        on_meta('lighthead_fpn_snv2', 'atrous')


@pytest.mark.parametrize(
    'name',
    ['lighthead_snv2', 'peers/lighthead_mobilenetv2_1.0', 'peers/lighthead_densenet_1.0x'],
)
def test_stride_32_refuses_the_atrous_option(name):
    cfg = load(name, 'atrous')
    cfg.model.backbone.output_stride = 32
    with pytest.raises(ValueError, match=r'last_dilation=2 \(atrous\) needs output_stride=16, and'):
        MODELS.build(cfg.model)

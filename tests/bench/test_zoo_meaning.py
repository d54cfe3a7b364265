"""Swapped configs of every kind train as before: norms, freezing, dilation, decay, weights."""

import re

import pytest
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict

from shufflenet_det.bench.zoo.meaning import meaning_of, silent_changes
from shufflenet_det.detectors.swap import backbone_config, read_config, swap_backbone

FREE = dict(frozen_stages=-1, norm_eval=False)
FIXED = dict(frozen_stages=1, norm_eval=True)
AFFINE = dict(norm_cfg=dict(type='BN', requires_grad=False))

# Config of MMDetection -> what the new backbone does; all kinds of its zoo.
KINDS = {
    'faster_rcnn/faster-rcnn_r50_fpn_1x_coco': FIXED,
    'faster_rcnn/faster-rcnn_r50-caffe-c4_1x_coco': None,
    'faster_rcnn/faster-rcnn_r50-caffe-dc5_1x_coco':
        FIXED | AFFINE | dict(output_stride=16, last_dilation=2, out_indices=(3,)),
    'solo/solo_r50_fpn_1x_coco': FIXED,  # norm_eval is ResNet's default
    'hrnet/faster-rcnn_hrnetv2p-w18-1x_coco': dict(frozen_stages=-1, norm_eval=True),
    'nas_fcos/nas-fcos_r50-caffe_fpn_fcoshead-gn-head_4xb4-1x_coco': FIXED | AFFINE,
    'yolo/yolov3_d53_8xb8-320-273e_coco': dict(frozen_stages=-1, norm_eval=True),
    'yolact/yolact_r50_1xb8-55e_coco': FREE,
    'rtmdet/rtmdet_tiny_8xb32-300e_coco': FREE | dict(norm_cfg=dict(type='SyncBN')),
    'resnest/faster-rcnn_s50_fpn_syncbn-backbone+head_ms-range-1x_coco':
        dict(frozen_stages=1, norm_eval=False, norm_cfg=dict(type='SyncBN')),
    'efficientnet/retinanet_effb3_fpn_8xb4-crop896-1x_coco':
        FREE | dict(norm_cfg=dict(type='SyncBN', momentum=0.01)),
    'yolox/yolox_s_8xb8-300e_coco':  # from scratch
        FREE | dict(init_cfg=None, norm_cfg=dict(type='BN', momentum=0.03, eps=0.001)),
    'scratch/faster-rcnn_r50-scratch_fpn_gn-all_6x_coco': FREE | dict(init_cfg=None),
    'gn/mask-rcnn_r50_fpn_gn-all_2x_coco': FIXED,
    'ssd/ssd300_coco': dict(frozen_stages=-1, norm_eval=True),
    'swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco': dict(frozen_stages=-1, norm_eval=True),
    'maskformer/maskformer_r50_ms-16xb1-75e_coco': FIXED | dict(frozen_stages=-1) | AFFINE,
    'detr/detr_r50_8xb2-150e_coco': FIXED | AFFINE,
    'cityscapes/faster-rcnn_r50_fpn_1x_cityscapes': FIXED,  # load_from
    'bytetrack/yolox_x_8xb4-amp-80e_crowdhuman-mot17halftrain_test-mot17halfval':  # init_cfg
        FREE | dict(norm_cfg=dict(type='BN', momentum=0.03)),
    'sort/faster-rcnn_r50_fpn_8xb2-4e_mot17halftrain_test-mot17halfval': FIXED,
    'soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco': FIXED | AFFINE,
}  # fmt: skip
DONE = [name for name, expected in KINDS.items() if expected is not None]


@pytest.fixture(autouse=True)
def registered():
    register_all_modules()


def swapped(name: str, **options):
    before = read_config(f'mmdet::{name}.py')
    return before, *swap_backbone(before, backbone_config('0.5x', **options))


def backbone_of(cfg) -> ConfigDict:
    return (cfg.model.get('detector') or cfg.model).backbone


@pytest.mark.parametrize('name', DONE)
def test_nothing_changes_without_a_word(name):
    assert silent_changes(*swapped(name)) == []


@pytest.mark.parametrize('name', DONE)
def test_new_backbone_does_what_the_old_one_does(name):
    backbone = backbone_of(swapped(name)[1])
    usual = FREE | dict(norm_cfg=dict(type='BN'), init_cfg=backbone_config('0.5x')['init_cfg'])
    expected = usual | KINDS[name]
    assert {key: backbone.get(key, FREE.get(key, usual.get(key) if key == 'norm_cfg' else None))
            for key in expected} == expected  # fmt: skip


def test_decay_of_norms_follows_their_names():
    before, after, changes = swapped('swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco')
    assert meaning_of(before).norm_options == meaning_of(after).norm_options == {(1e-4, 0.0)}
    lost = [str(change) for change in changes if 'matches no name' in str(change)]
    assert any("['relative_position_bias_table']" in line for line in lost)


def test_keys_that_beat_short_names_are_written_in_full():
    cfg = read_config('mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py')
    cfg.optim_wrapper.paramwise_cfg.custom_keys['backbone.stage2'] = dict(lr_mult=0.1)
    cfg, _ = swap_backbone(cfg, backbone_config('0.5x', large_receptive_field=True))
    assert meaning_of(cfg).norm_options == {(1e-4, 0.0)}


@pytest.mark.parametrize('options', [dict(pretrained=None), dict(se=True), dict(residual=True)])
def test_lost_freezing_is_said(options):
    _, cfg, changes = swapped('detr/detr_r50_8xb2-150e_coco', **options)
    assert 'norm_cfg' not in cfg.model.backbone and 'frozen_stages' not in cfg.model.backbone
    said = [str(change) for change in changes if 'there are no weights' in str(change)]
    assert [line.split(':')[0].rpartition('.')[2] for line in said] == [
        'requires_grad', 'norm_eval', 'frozen_stages',
    ]  # fmt: skip


def test_asked_for_weights_are_loaded_where_the_old_backbone_had_none():
    cfg = read_config('mmdet::yolox/yolox_s_8xb8-300e_coco.py')
    cfg, _ = swap_backbone(cfg, backbone_config('0.5x'), keep_scratch=False)
    assert cfg.model.backbone.init_cfg.checkpoint == 'torchvision://shufflenet_v2_x0_5'


@pytest.mark.parametrize(
    'name', ['yolact/yolact_r50_1xb8-55e_coco', 'detr/detr_r50_8xb2-150e_coco']
)
def test_lost_weights_are_said(name):
    before, after, changes = swapped(name, pretrained=None)
    assert "model.backbone.init_cfg: 'weights' -> None" in ' '.join(map(str, changes))
    assert silent_changes(before, after, changes) == []


def test_dilated_convs_that_ours_have_not_are_said():
    _, _, changes = swapped('ssd/ssd300_coco')
    assert 'model.backbone.dilation: 6 -> 1 (convs of the old backbone)' in map(str, changes)


DETR, YOLOX = 'detr/detr_r50_8xb2-150e_coco', 'yolox/yolox_s_8xb8-300e_coco'
DC5 = 'faster_rcnn/faster-rcnn_r50-caffe-dc5_1x_coco'

# Config, what is done to its swap behind its back, and what must be found.
BEHIND_ITS_BACK = [
    (DETR, lambda c: c.model.backbone.pop('norm_eval'), 'norm_eval: True -> False'),
    (DETR, lambda c: c.model.backbone.pop('norm_cfg'), 'norm_learns: False -> True'),
    (DETR, lambda c: c.model.backbone.pop('init_cfg'), 'trained: True -> False'),
    (DETR, lambda c: c.model.backbone.pop('frozen_stages'), 'frozen_stages: 1 -> -1'),
    (DETR, lambda c: c.model.backbone.update(frozen_stages=3), 'frozen_stages: 1 -> 3'),
    (DETR, lambda c: c.merge_from_dict({'model.init_cfg': dict(type='Pretrained', checkpoint='a')}),
     "model.init_cfg: .*'checkpoint': 'a'.* stays"),
    (DETR, lambda c: c.update(load_from='old.pth'), 'load_from: old.pth stays'),
    (DETR, lambda c: c.optim_wrapper.pop('paramwise_cfg'), r'weight_options: \[\(1e-05'),
    (YOLOX, lambda c: c.model.backbone.norm_cfg.pop('momentum'), r'norm_momentum: \[0.03\] -> '),
    (YOLOX, lambda c: c.model.backbone.norm_cfg.pop('eps'), r'norm_eps: \[0.001\] -> \[1e-05\]'),
    (YOLOX, lambda c: c.model.neck.update(norm_cfg=dict(type='SyncBN')), 'rest: .*BatchNorm'),
    (YOLOX, lambda c: c.optim_wrapper.pop('paramwise_cfg'), 'norm_options: .*0.0.* -> .*0.0005'),
    (DC5, lambda c: c.model.backbone.update(last_dilation=1), 'dilation: 2 -> 1'),
    (DC5, lambda c: [c.model.backbone.pop(key) for key in ('output_stride', 'last_dilation')],
     r'strides: \(16,\) -> \(32,\)'),
]  # fmt: skip


@pytest.mark.parametrize('name, change, found', BEHIND_ITS_BACK)
def test_a_change_without_a_word_is_found(name, change, found):
    before, after, changes = swapped(name)
    change(after)
    silent = silent_changes(before, after, changes)
    assert any(re.match(found, line) for line in silent), silent


def test_a_checkpoint_that_is_gone_without_a_word_is_found():
    before, after, changes = swapped('cityscapes/faster-rcnn_r50_fpn_1x_cityscapes')
    rest = [change for change in changes if change.path != 'load_from']
    assert silent_changes(before, after, rest) == ['load_from: gone']

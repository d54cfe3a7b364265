"""Checkpoints of NanoDet's own project go into our detectors whatever wraps them."""

import logging
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import load_checkpoint
from nanodet_cases import TRAINED, small, trained

from shufflenet_det.checkpoints import read_checkpoint
from shufflenet_det.checkpoints.models import load_model
from shufflenet_det.checkpoints.nanodet import from_nanodet, is_nanodet
from shufflenet_det.training.launch import load_config

NAMES = {
    'backbone.stage2.0.branch1.0.weight': 'backbone.stage2.0.branch1.0.weight',
    'fpn.lateral_convs.1.conv.bias': 'neck.lateral_convs.1.conv.bias',
    'fpn.reduce_layers.0.bn.weight': 'neck.lateral_convs.0.bn.weight',
    'aux_fpn.reduce_layers.2.conv.weight': 'aux_neck.lateral_convs.2.conv.weight',
    'fpn.top_down_blocks.0.blocks.0.ghost1.primary_conv.0.weight':
        'neck.top_down_blocks.0.ghost1.primary_conv.conv.weight',
    'aux_fpn.bottom_up_blocks.1.blocks.0.ghost2.cheap_operation.1.bias':
        'aux_neck.bottom_up_blocks.1.ghost2.cheap_operation.bn.bias',
    'fpn.bottom_up_blocks.1.blocks.0.shortcut.0.weight':
        'neck.bottom_up_blocks.1.shortcut.depthwise_conv.conv.weight',
    'fpn.bottom_up_blocks.1.blocks.0.shortcut.3.running_mean':
        'neck.bottom_up_blocks.1.shortcut.pointwise_conv.bn.running_mean',
    'fpn.downsamples.1.pwnorm.weight': 'neck.downsamples.1.pointwise_conv.bn.weight',
    'fpn.extra_lvl_in_conv.0.depthwise.weight':
        'neck.extra_lvl_in_conv.0.depthwise_conv.conv.weight',
    'head.cls_convs.3.1.dwnorm.bias': 'bbox_head.cls_convs.3.1.depthwise_conv.bn.bias',
    'head.gfl_cls.0.weight': 'bbox_head.gfl_cls.0.weight',
    'head.distribution_project.project': 'bbox_head.integral.project',
    'aux_head.cls_convs.3.gn.weight': 'aux_head.cls_convs.3.gn.weight',
    'aux_head.scales.3.scale': 'aux_head.scales.3.scale',
}  # fmt: skip


@pytest.mark.parametrize('name', NAMES)
def test_name(name):
    assert list(from_nanodet({name: torch.ones(1)})) == [NAMES[name]]


def test_convs_that_are_never_called_are_left_out():
    assert from_nanodet({'head.gfl_reg.0.weight': torch.ones(1)}) == {}


def test_averaged_weights_are_preferred():
    key = 'head.gfl_cls.0.weight'
    given = {f'model.{key}': torch.zeros(1), f'avg_model.{key}': torch.ones(1)}
    assert from_nanodet(given) == {f'bbox_{key}': torch.ones(1)}


def test_own_files_are_not_taken_for_theirs():
    assert not is_nanodet(small('nanodet_m_320').state_dict())


def lightning(state: dict) -> dict:
    """As v1.0 writes it: trained weights, and averaged ones that count."""
    trained_on = {f'model.{key}': torch.zeros_like(value) for key, value in state.items()}
    averaged = {f'avg_model.{key}': value for key, value in state.items()}
    callbacks = {'pytorch_lightning.callbacks.ModelCheckpoint': {'best_model_path': ''}}
    return dict(
        state_dict=OrderedDict(trained_on | averaged), callbacks=callbacks, epoch=299,
        global_step=1, optimizer_states=[], lr_schedulers=[],
    )  # fmt: skip


WRAPPED = {
    'plain': lambda state: state,
    'v0.1': lambda state: dict(state_dict=state, epoch=1, iter=2),
    'v0.3': lambda state: dict(state_dict={f'model.{k}': v for k, v in state.items()}),
    'v1.0': lightning,
}


@pytest.fixture(scope='module')
def plus(test_data):
    return read_checkpoint(trained(test_data, 'nanodet-plus-m-320').checkpoint)


def detector(config: Path):
    model = load_config(config).model
    model.backbone.init_cfg = None
    return MODELS.build(model)


@pytest.mark.parametrize('wrap', WRAPPED)
def test_every_wrapping_loads_by_our_own_loader(plus, test_data, wrap):
    model = detector(trained(test_data, 'nanodet-plus-m-320').config)
    report = load_model(model, WRAPPED[wrap](plus), wrap, strict=True)
    assert report.loaded == report.total and not report.left_out


@pytest.mark.parametrize('wrap', WRAPPED)
def test_every_wrapping_loads_every_tensor(plus, test_data, wrap, tmp_path, caplog):
    path = tmp_path / 'file.ckpt'
    torch.save(WRAPPED[wrap](plus), path)
    model = detector(trained(test_data, 'nanodet-plus-m-320').config)
    logger = MMLogger.get_instance('strict', log_level='WARNING')
    logger.propagate = True
    with caplog.at_level(logging.WARNING):
        load_checkpoint(model, str(path), map_location='cpu', strict=True, logger=logger)
    assert not caplog.records
    own = model.state_dict()
    for name, value in from_nanodet(plus).items():
        assert torch.equal(own[name], value.to(own[name].dtype)), name


def test_file_without_the_guide_gives_its_neck_to_the_guides(plus, test_data):
    model = detector(trained(test_data, 'nanodet-plus-m-320').config)
    untouched = model.aux_head.gfl_cls.weight.clone()
    model.load_state_dict(plus)
    for own, guides in zip(model.neck.parameters(), model.aux_neck.parameters(), strict=True):
        assert torch.equal(own, guides)
    assert torch.equal(model.aux_head.gfl_cls.weight, untouched)


def test_guide_of_the_file_is_kept(plus, test_data):
    model = detector(trained(test_data, 'nanodet-plus-m-320').config)
    name = 'aux_fpn.reduce_layers.0.conv.weight'
    given = plus | {name: torch.full((96, 116, 1, 1), 7.0)}
    model.load_state_dict(given, strict=False)
    assert (model.aux_neck.lateral_convs[0].conv.weight == 7).all()


def test_other_classes_load_the_part_for_boxes():
    model, other = small('nanodet_m_320', 3), small('nanodet_m_320', 5)
    own = model.bbox_head.gfl_cls[0].weight.clone()
    model.load_state_dict(other.state_dict())
    loaded, given = model.bbox_head.gfl_cls[0].weight, other.bbox_head.gfl_cls[0].weight
    assert torch.equal(loaded[:3], own[:3])
    assert torch.equal(loaded[3:], given[5:])


@pytest.mark.parametrize('name', TRAINED)
def test_detectors_init_cfg_loads_it(test_data, name):
    row = trained(test_data, name)
    cfg = load_config(row.config).model
    cfg.backbone.init_cfg = None
    cfg.init_cfg = dict(type='Pretrained', checkpoint=str(row.checkpoint))
    model = MODELS.build(cfg)
    model.init_weights()
    stated = row.facts['checks']['head.gfl_cls.0.weight']['sum']
    assert model.bbox_head.gfl_cls[0].weight.double().sum().item() == pytest.approx(stated, 1e-6)


def test_lightnings_class_in_a_file_is_never_imported(plus, tmp_path):
    """Lightning before 1.5 has the class of a callback as a key."""
    name = 'pytorch_lightning.callbacks.model_checkpoint'
    module = ModuleType(name)
    module.ModelCheckpoint = type('ModelCheckpoint', (), dict(__module__=name))
    parts = [name.rsplit('.', i)[0] for i in (2, 1)]
    sys.modules |= {part: ModuleType(part) for part in parts} | {name: module}
    try:
        torch.save(lightning(plus) | dict(callbacks={module.ModelCheckpoint: {}}),
                   tmp_path / 'old.ckpt')  # fmt: skip
    finally:
        for part in (*parts, name):
            del sys.modules[part]
    assert len(read_checkpoint(tmp_path / 'old.ckpt')['state_dict']) == 2 * len(plus)
    assert name not in sys.modules

"""Modules are tried out without memory for their weights."""

import pytest
from mmdet.utils import register_all_modules

from shufflenet_det.detectors import levels
from shufflenet_det.detectors.levels import backbone_levels, on_meta

TRANSFORMERS = {
    'SwinTransformer': [(96, 4), (192, 8), (384, 16), (768, 32)],
    'PyramidVisionTransformer': [(64, 4), (128, 8), (320, 16), (512, 32)],
}


@pytest.fixture(autouse=True)
def registered():
    register_all_modules()


@pytest.mark.parametrize('kind', TRANSFORMERS)
def test_transformers_are_built_without_memory(kind, monkeypatch):
    built, build = [], levels.MODELS.build
    monkeypatch.setattr(levels.MODELS, 'build', lambda cfg: built.append(cfg['type']) or build(cfg))
    assert backbone_levels(dict(type=kind)) == TRANSFORMERS[kind]
    assert built.count(kind) == 1  # a second time would be with memory


def test_norms_that_need_a_process_group_are_built_without_one():
    channels = dict(in_channels=[8, 16], out_channels=4, num_outs=2)
    neck = on_meta(dict(type='FPN', **channels, norm_cfg=dict(type='MMSyncBN')))
    assert type(neck.lateral_convs[0].bn).__name__ == 'SyncBatchNorm'
    assert {p.device.type for p in neck.parameters()} == {'meta'}

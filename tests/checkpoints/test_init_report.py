"""MMEngine's report of an initialisation, of backbones that this package loads."""

import pytest
import torch
from mmengine.model import BaseModule

from shufflenet_det.backbones import ShuffleNetV2


@pytest.mark.parametrize('alone', [True, False])
def test_report_of_the_initialisation_names_the_file(tmp_path, monkeypatch, alone):
    told = {}

    def dump(module):
        told.update({n: module._params_init_info[p] for n, p in module.named_parameters()})

    monkeypatch.setattr(BaseModule, '_dump_init_info', dump)
    path = tmp_path / 'net.pth'
    torch.save(ShuffleNetV2(arch='0.5x').state_dict(), path)
    init_cfg = dict(type='Pretrained', checkpoint=str(path))
    backbone = ShuffleNetV2(arch='0.5x', init_cfg=init_cfg)
    outer = BaseModule()
    outer.backbone = backbone
    (backbone if alone else outer).init_weights()
    convs = {n: told[n]['init_info'] for n in told if told[n]['tmp_mean_value'] not in (0, 1)}
    assert len(convs) > 50 and set(convs.values()) == {f'loaded from {path}'}
    assert not hasattr(backbone, '_params_init_info')

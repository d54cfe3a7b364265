from pathlib import Path

import pytest
from mmengine import hub
from mmengine.config import Config

from shufflenet_det.integration import config_scope

NAMES = [
    'shufflenet_det::lighthead_snv2.py',
    'shufflenet_det::peers/lighthead_resnet50.py',
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
]


@pytest.mark.parametrize('name', NAMES)
def test_base_of_a_package(name: str, tmp_path: Path) -> None:
    (tmp_path / 'mine.py').write_text(f"_base_ = '{name}'\nwork_dir = 'here'\n")
    cfg = Config.fromfile(tmp_path / 'mine.py')
    assert cfg.work_dir == 'here'
    original = Config.fromfile(config_scope.config_path(name))
    assert cfg.model.keys() - {'_scope_'} == original.model.keys()
    assert cfg.model.backbone.type == original.model.backbone.type


@pytest.mark.parametrize('name', NAMES)
def test_hub_config(name: str) -> None:
    assert hub.get_config(name).model == Config.fromfile(config_scope.config_path(name)).model


@pytest.mark.parametrize(
    'name, error, match',
    [
        ('shufflenet_det::', ValueError, 'package::path'),
        ('shufflenet_det::a::b.py', ValueError, 'package::path'),
        ('no_such_package::a.py', ModuleNotFoundError, 'install no_such_package'),
        ('json::a.py', FileNotFoundError, 'json ships no configs'),
        ('shufflenet_det::nothing.py', FileNotFoundError, 'no config nothing.py'),
    ],
)
def test_unknown_config_is_named(name: str, error: type, match: str) -> None:
    with pytest.raises(error, match=match):
        config_scope.config_path(name)

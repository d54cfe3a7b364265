import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from paths import ROOT

from shufflenet_det.training.launch import datasets, load_config

PATHS = sorted(path.relative_to(ROOT) for path in (ROOT / 'configs').rglob('*.py'))
ELSEWHERE = {'_base_', 'options', 'swap'}
"""Folders of parts of configs, and of those that tests/detectors/test_swap_configs.py looks at."""

SETTLED = 'configs/custom/my_photos.py'
"""Needs a folder of images: tests/training/test_own_photos.py."""

CONFIGS = [path.as_posix() for path in PATHS if not ELSEWHERE & set(path.parts)]
CONFIGS.remove(SETTLED)


@pytest.mark.parametrize('path', CONFIGS)
def test_config_builds_and_runs(path):
    register_all_modules()
    cfg = load_config(ROOT / path)
    cfg.model.backbone.init_cfg = None
    detector = MODELS.build(cfg.model).eval()
    size = (64, 96)
    sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1, 1)))
    with torch.no_grad():
        (result,) = detector.predict(torch.randn(1, 3, *size), [sample])
    assert torch.isfinite(result.pred_instances.scores).all()


@pytest.mark.parametrize('path', CONFIGS)
def test_config_names_its_data(path):
    register_all_modules()
    cfg = load_config(ROOT / path, dict(data_root='elsewhere/set'))
    for split in ('train', 'val', 'test'):
        (dataset,) = datasets(cfg[f'{split}_dataloader'])
        assert dataset.data_root == 'elsewhere/set'
        built = DATASETS.build(dict(dataset, lazy_init=True))
        assert len(built.metainfo['classes']) == cfg.num_classes
    if cfg.val_evaluator.type != 'VOCMetric':
        assert cfg.val_evaluator.ann_file == f'elsewhere/set/{cfg.val_dataloader.dataset.ann_file}'


@pytest.mark.parametrize('path', [p for p in CONFIGS if p.count('/') == 1])
def test_leaf_configs_are_short(path):
    assert len((ROOT / path).read_text().splitlines()) <= 25

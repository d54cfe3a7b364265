"""Models of mmsegmentation, mmpretrain, mmpose and mmyolo around our backbone, as the page says."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from test_pages import blocks

from shufflenet_det.detectors.swap import backbone_config, read_config, swap_backbone
from shufflenet_det.detectors.trial import without_weights

PAGE = 'configs/swap/README.md'
SIZE = (128, 128)


def pictures(count: int = 2) -> list[torch.Tensor]:
    return [torch.randint(0, 256, (3, *SIZE), dtype=torch.uint8) for _ in range(count)]


def segmentation() -> dict:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    sample = SegDataSample(metainfo=dict(img_shape=SIZE, ori_shape=SIZE, pad_shape=SIZE))
    sample.gt_sem_seg = PixelData(data=torch.randint(0, 19, (1, *SIZE)))
    return dict(inputs=pictures(), data_samples=[sample, sample.clone()])


def classification() -> dict:
    from mmpretrain.structures import DataSample

    samples = [DataSample(metainfo=dict(img_shape=SIZE)).set_gt_label(n) for n in range(2)]
    return dict(inputs=pictures(), data_samples=samples)


def keypoints() -> dict:
    from mmpose.testing import get_packed_inputs

    return get_packed_inputs(2, img_shape=SIZE, input_size=SIZE, heatmap_size=(32, 32))


def yolo() -> dict:
    info = dict(img_shape=SIZE, batch_input_shape=SIZE)
    boxes = torch.tensor([[0, 1, 10, 10, 80, 90], [1, 2, 20, 30, 100, 100.0]])
    return dict(inputs=torch.stack(pictures()), data_samples=dict(bboxes_labels=boxes, **info))


PROJECTS: dict[str, tuple[str, Callable[[], dict], str, str]] = {
    'mmseg': ('my_fcn', segmentation, 'decode_head.in_channels', '464'),
    'mmpretrain': ('my_classifier', classification, 'head.in_channels', '1024'),
    'mmpose': ('my_pose', keypoints, 'head.in_channels', '464'),
    'mmyolo': ('my_yolov5', yolo, 'neck.in_channels', r'\[352, 704, 1408\]'),
}
"""Package -> the page's example, a batch, the field that the backbone decides, its value."""


def example(scope: str, folder: Path) -> Config:
    """The config that the page shows for a package."""
    pytest.importorskip(scope, reason=f'{scope} is not installed')
    name = f'# {PROJECTS[scope][0]}.py\n'
    (code,) = [block.code for block in blocks(PAGE) if block.code.startswith(name)]
    (folder / 'config.py').write_text(code)
    return Config.fromfile(folder / 'config.py')


@pytest.fixture(params=PROJECTS)
def project(request, tmp_path) -> tuple[str, Config]:
    return request.param, example(request.param, tmp_path)


def built(cfg: Config) -> BaseModel:
    """The model of a config, for small pictures, without weights to download."""
    import_module(f'{cfg.default_scope}.models')
    model = without_weights(cfg.model)
    model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))  # of a Runner
    if 'size' in model.data_preprocessor:
        model.data_preprocessor.size = SIZE
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        found = revert_sync_batchnorm(MODELS.build(model))
        found.init_weights()
    return found


def learns_and_predicts(model: BaseModel, scope: str) -> None:
    """One step in which every part that has parameters gets a gradient, and one prediction."""
    with DefaultScope.overwrite_default_scope(scope):
        model.train()
        batch = PROJECTS[scope][1]()
        data = model.data_preprocessor(batch, True)
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        loss.backward()
        assert loss.isfinite()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        model.eval()
        if scope != 'mmyolo':  # a batch of its own makes its training fast
            assert len(model.test_step(PROJECTS[scope][1]())) == 2
        else:
            with torch.no_grad():
                assert len(model(torch.stack(pictures()).float(), mode='tensor')) == 3


def test_example_of_the_page_trains_and_predicts(project):
    scope, cfg = project
    learns_and_predicts(built(cfg), scope)


def test_wrong_in_channels_are_named(project):
    scope, cfg = project
    _, _, field, right = PROJECTS[scope]
    cfg.merge_from_dict({f'model.{field}': [64, 128, 256] if scope == 'mmyolo' else 2048})
    with pytest.raises(
        ValueError, match=rf'model.{field}=.*hands out .*write model.{field}={right}'
    ):
        built(cfg)


def test_registry_of_the_project_checks_as_well(project):
    scope, cfg = project
    cfg.merge_from_dict({'model.backbone.arch': '2.0x'})
    registry = import_module(f'{scope}.registry').MODELS
    import_module(f'{scope}.models')
    with DefaultScope.overwrite_default_scope(scope), pytest.raises(ValueError, match='hands out'):
        registry.build(without_weights(cfg.model))


def test_widths_that_a_neck_of_mmyolo_rounds_are_refused(tmp_path):
    cfg = example('mmyolo', tmp_path)
    cfg.merge_from_dict({'model.backbone.arch': '1.0x', 'model.neck.in_channels': [232, 464, 928]})
    with pytest.raises(ValueError, match='rounds to multiples of 8.*take an arch.*0.5x or 1.5x'):
        built(cfg)


def test_pretrained_of_mmsegmentation_is_refused():
    pytest.importorskip('mmseg', reason='mmsegmentation is not installed')
    cfg = read_config('mmseg::fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py')
    cfg.model.backbone = dict(type='mmdet.ShuffleNetV2')
    import_module('mmseg.models')
    with DefaultScope.overwrite_default_scope('mmseg'):
        with pytest.raises(ValueError, match=r'open-mmlab://resnet50_v1c.*write pretrained=None'):
            MODELS.build(cfg.model)


def test_swapped_config_of_mmsegmentation_trains():
    pytest.importorskip('mmseg', reason='mmsegmentation is not installed')
    import_module('mmseg.models')
    cfg = read_config('mmseg::upernet/upernet_r50_4xb2-40k_cityscapes-512x1024.py')
    cfg, _ = swap_backbone(cfg, backbone_config('0.5x'))
    heads = cfg.model.decode_head.in_channels, cfg.model.auxiliary_head.in_channels
    assert (cfg.model.backbone.type, *heads) == ('mmdet.ShuffleNetV2', [24, 48, 96, 192], 96)
    learns_and_predicts(built(cfg), 'mmseg')

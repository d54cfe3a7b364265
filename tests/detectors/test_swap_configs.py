"""Every config of configs/swap builds, trains, predicts, and is what the tool would write."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules
from mmengine.config import Config

from shufflenet_det.bench.proofs.swaps import count_boxes, learn, scratch_detector, swap_configs
from shufflenet_det.detectors.swap import backbone_config, read_config, swap_backbone
from shufflenet_det.training.launch import datasets, load_config

CONFIGS = {path.stem: path for path in swap_configs()}
SIDE = 64

# Without gradient at this size, and why.
WITHOUT_GRADIENT = {
    # Their scales multiply the boxes of levels for objects that are larger than the image.
    **dict.fromkeys(('atss_snv2_0.5x', 'fcos_snv2_1.0x', 'gfl_snv2_0.5x_residual'),
                    [f'bbox_head.scales.{level}.scale' for level in (1, 2, 3, 4)]),
    # It leaves out anchors that cross the border, as all of these levels do.
    'cascade-rcnn_snv2_1.5x': [f'neck.fpn_convs.{level}.conv.' for level in (1, 2, 3)],
    # Each object starts with one position, of the first of levels that are equally far from it.
    'rtmdet-tiny_snv2_0.5x': ['bbox_head.reg_convs.2.', 'bbox_head.rtm_reg.2.'],
    # Boxes of levels whose default boxes are too large for any object of the image.
    'ssdlite_snv2_0.5x': [f'bbox_head.reg_convs.{level}.' for level in (1, 2, 3, 4, 5)],
}  # fmt: skip


@pytest.fixture(autouse=True)
def registered():
    register_all_modules()


def test_at_least_twelve_detectors():
    assert len({Config.fromfile(path).model.type for path in CONFIGS.values()}) >= 12


@pytest.mark.parametrize('name', CONFIGS)
def test_trains_two_iterations_and_predicts(name):
    detector = scratch_detector(Config.fromfile(CONFIGS[name]).model)
    batch = demo_mm_inputs(
        2, [(3, SIDE, SIDE)] * 2, num_items=[8, 8], num_classes=80, with_mask=detector.with_mask
    )
    for sample in batch['data_samples']:  # an object for the deepest level
        sample.gt_instances.bboxes[0] = torch.tensor([0.0, 0.0, SIDE, SIDE])
    losses, reached = learn(detector, [batch, batch])
    assert len(losses) == 2 and torch.tensor(losses).isfinite().all()
    missed = {parameter for parameter, _ in detector.named_parameters()} - reached
    allowed = tuple(WITHOUT_GRADIENT.get(name, ()))
    assert {parameter for parameter in missed if not parameter.startswith(allowed or '?')} == set()
    if detector.with_mask:
        detector.roi_head.test_cfg.max_per_img = 3
    assert count_boxes(detector, [batch]) > 0


@pytest.mark.parametrize('name', CONFIGS)
def test_is_what_the_tool_writes(name):
    leaf = Config.fromfile(CONFIGS[name])
    base = CONFIGS[name].read_text().split("_base_ = '")[1].split("'")[0]
    backbone = leaf.model.backbone
    variants = {
        key: True for key in ('se', 'residual', 'large_receptive_field') if backbone.get(key)
    }
    cfg, _ = swap_backbone(read_config(base), backbone_config(backbone.arch, **variants))
    assert plain(leaf.model) == plain(cfg.model)
    assert leaf.custom_imports == cfg.custom_imports


def plain(node):
    """Without the scopes that inheriting from a package adds."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items() if key != '_scope_'}
    return [plain(value) for value in node] if isinstance(node, list) else node


@pytest.mark.parametrize('name', CONFIGS)
def test_leaf_is_short_and_types_no_channels(name):
    lines = CONFIGS[name].read_text().splitlines()
    assert len(lines) <= 20
    assert sum('out_channels(arch, out_indices)' in line for line in lines) == 1


@pytest.mark.parametrize('name', CONFIGS)
def test_data_move_with_data_root(name):
    cfg = load_config(CONFIGS[name], dict(data_root='elsewhere/set'))
    for split in ('train', 'val', 'test'):
        (dataset,) = datasets(cfg[f'{split}_dataloader'])
        assert Path(dataset.data_root) == Path('elsewhere/set')
        assert len(DATASETS.build(dict(dataset, lazy_init=True)).metainfo['classes']) == 80
    assert Path(cfg.val_evaluator.ann_file) == Path('elsewhere/set') / dataset.ann_file

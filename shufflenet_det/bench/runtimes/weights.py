"""Detectors without trained weights, whose scores nevertheless differ."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from torch import nn

from shufflenet_det.integration.config_scope import config_path

from .plan import Case

SPREADS = dict(cls=2.0, reg=0.3)
"""Ending of a last layer's name -> standard deviation of its outputs on noise."""


def random_detector(case: Case, root: Path, work: Path) -> tuple[Path, Path]:
    """Config and checkpoint of a detector with fresh weights, the same each time.

    Args:
        case: Which.
        root: Folder of the sets of photographs.
        work: Where the files go.
    """
    register_all_modules()
    os.environ |= dict(PHOTOS_SET=case.data, PHOTOS_ROOT=str(root))
    cfg = Config.fromfile(config_path(f'shufflenet_det::photos/{case.config}.py'))
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    spread(model)
    folder = work / f'{case.data}-{case.config}-random'
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / f'{case.config}.py', folder / 'random.pth'
    cfg.dump(files[0])
    meta = dict(dataset_meta=dict(classes=case.photos.classes))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), files[1])
    return files


@torch.no_grad()
def spread(model: nn.Module) -> None:
    """Scale last layers to outputs that differ, as if trained: without, all scores tie."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
    levels = model.extract_feat(torch.randn(1, 3, 320, 320))
    if hasattr(model, 'rpn_head'):
        _scale(_last_layers(model.rpn_head), lambda: model.rpn_head(levels))
        roi, head = model.roi_head, model.roi_head.bbox_head
        size = head.roi_feat_size
        size = size if isinstance(size, int) else size[0]
        pooled = torch.randn(64, head.in_channels, size, size)
        _scale(_last_layers(roi.bbox_head), lambda: head(pooled))
    else:
        _scale(_last_layers(model.bbox_head), lambda: model.bbox_head(levels))


def _last_layers(head: nn.Module) -> Iterator[tuple[nn.Module, float]]:
    for name, layer in head.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            for ending, deviation in SPREADS.items():
                if ending in name.rsplit('.', 1)[-1].split('_') or f'_{ending}.' in f'{name}.':
                    yield layer, deviation


def _scale(layers: Iterator[tuple[nn.Module, float]], run) -> None:
    for layer, deviation in layers:
        found = []
        hook = layer.register_forward_hook(lambda _m, _i, out, to=found: to.append(out.std()))
        run()
        hook.remove()
        layer.weight.mul_(deviation / found[0])

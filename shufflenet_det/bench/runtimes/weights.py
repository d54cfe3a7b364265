"""Detectors without trained weights, whose scores nevertheless differ."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from torch import nn

from shufflenet_det.bench.untrained import SPREADS, spread_outputs
from shufflenet_det.integration.config_scope import config_path

from .plan import Case

LAST_LAYER = re.compile(r'bbox_head\.[a-z]+_(cls|reg)(?:\.\d+)?')
DENSE_SPREADS = dict(cls=2.0, reg=0.3)
"""What a last layer of a dense head is for -> spread of its outputs."""


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
    """Norms that are not the identity, and last layers whose outputs differ, as if trained."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
    images = torch.randint(0, 256, (2, 3, 128, 160), dtype=torch.uint8)
    spread_outputs(model, images, SPREADS if hasattr(model, 'rpn_head') else _last_layers(model))


def _last_layers(model: nn.Module) -> dict[str, float]:
    """Those of a dense head, with their spreads."""
    found = {}
    for name, layer in model.named_modules():
        ending = LAST_LAYER.fullmatch(name)
        if ending and isinstance(layer, nn.Conv2d):
            found[name] = DENSE_SPREADS[ending[1]]
    return found

"""Detectors without trained weights, whose scores nevertheless differ."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from torch import nn

from shufflenet_det.bench.photos.training import Run, begin
from shufflenet_det.bench.untrained import SPREADS, spread_outputs, vary_norms

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
    folder = work / f'{case.data}-{case.config}-random'
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(case.data, case.config, changes={'model.backbone.init_cfg': None})
    config, checkpoint = begin(run, folder, root), folder / 'random.pth'
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model).eval()
    spread(model)
    meta = dict(dataset_meta=dict(classes=case.photos.classes))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), checkpoint)
    return config, checkpoint


@torch.no_grad()
def spread(model: nn.Module) -> None:
    """Norms that are not the identity, and last layers whose outputs differ, as if trained."""
    vary_norms(model)
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

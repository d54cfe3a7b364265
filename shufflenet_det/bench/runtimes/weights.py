"""Detectors without trained weights, whose scores nevertheless differ."""

from __future__ import annotations

import io
import re
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from torch import nn

from shufflenet_det.bench.photos.training import Run, begin
from shufflenet_det.bench.untrained import SPREADS, spread_outputs, vary_norms
from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.integration.config_scope import config_root
from shufflenet_det.training.launch import load_config

from .plan import RANDOM, Case

LAST_LAYER = re.compile(r'bbox_head\.[a-z]+_(cls|reg)(?:\.\d+)?')
DENSE_SPREADS = dict(cls=2.0, reg=0.3)
"""What a last layer of a dense head is for -> spread of its outputs."""


def random_detector(case: Case, root: Path, work: Path) -> tuple[Path, Path]:
    """Config and checkpoint of a detector with fresh weights, made once, the same each time.

    Args:
        case: Which.
        root: Folder of the sets of photographs.
        work: Where the files go.
    """
    folder = work / f'{case.data}-{case.config}-{RANDOM}'
    config, checkpoint = folder / f'{case.config}.py', folder / f'{RANDOM}.pth'
    if checkpoint.is_file():
        return config, checkpoint
    register_all_modules()
    folder.mkdir(parents=True, exist_ok=True)
    _write_config(case, root, config)
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model).eval()
    spread(model)
    meta = dict(dataset_meta=dict(classes=case.photos.classes))
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=model.state_dict()), buffer)
    replace_file(checkpoint, buffer.getvalue())
    return config, checkpoint


def _write_config(case: Case, root: Path, path: Path) -> None:
    fresh = {'model.backbone.init_cfg': None}
    if case.folder == 'photos':
        begin(Run(case.data, case.config, changes=fresh), path.parent, root)
        return
    classes = {'model.roi_head.bbox_head.num_classes': len(case.photos.classes)}
    source = config_root('shufflenet_det') / case.folder / path.name
    load_config(source, fresh | classes).dump(path)


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

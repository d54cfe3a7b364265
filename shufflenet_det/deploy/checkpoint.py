"""Config and checkpoint of a detector's deploy form, for use without its training form."""

from __future__ import annotations

import copy
import io
from dataclasses import asdict
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import nn

from shufflenet_det.checkpoints.atomic import replace_file

from .convert import structure
from .shuffle_free import ShuffleFreeBackbone
from .switch import switch_to_deploy


@MODELS.register_module(name='DeployForm')
def deploy_form(detector: str, **kwargs) -> nn.Module:
    """A detector with folded batch norm, ready for a checkpoint that `write_deploy` wrote.

    Args:
        detector: Type of the detector.
        kwargs: Its arguments, with a ShuffleFreeBackbone.
    """
    return switch_to_deploy(MODELS.build(dict(type=detector, **kwargs)))


def write_deploy(model: nn.Module, cfg: Config, out_dir: str | Path) -> tuple[Path, Path]:
    """Write deploy.py and deploy.pth for a trained detector, which is switched in place.

    They are used like any config and checkpoint of MMDetection, for tests and inference only.

    Args:
        model: Detector with a ShuffleNetV2 and, for the names of the classes, `dataset_meta`.
        cfg: Its config.
        out_dir: Folder to write to, made if needed.

    Raises:
        ValueError: If the detector has no ShuffleNetV2, or layers that do not fold, or is switched.
    """
    cfg = copy.deepcopy(cfg)
    trained = getattr(model, 'backbone', None)
    if isinstance(trained, ShuffleFreeBackbone):
        raise ValueError('the detector is in its deploy form already; use it as it is')
    model = switch_to_deploy(model)
    arguments = structure(trained)
    backbone = dict(type='ShuffleFreeBackbone', original_order=model.backbone.original_order)
    backbone |= arguments | dict(arch=asdict(arguments['arch']))
    cfg.model.update(type='DeployForm', detector=cfg.model.type)
    cfg.model.pop('init_cfg', None)
    cfg.model.backbone = backbone
    cfg.custom_imports = dict(
        imports=['shufflenet_det', 'shufflenet_det.deploy.checkpoint'], allow_failed_imports=False
    )
    cfg.load_from = None
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    content = dict(meta=dict(dataset_meta=_names(model)), state_dict=model.state_dict())
    buffer = io.BytesIO()
    torch.save(content, buffer)
    replace_file(out_dir / 'deploy.pth', buffer.getvalue())
    replace_file(out_dir / 'deploy.py', cfg.pretty_text)
    return out_dir / 'deploy.py', out_dir / 'deploy.pth'


def _names(model: nn.Module) -> dict:
    return dict(classes=tuple((getattr(model, 'dataset_meta', None) or {}).get('classes', ())))

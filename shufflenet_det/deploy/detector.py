"""A detector of MMDetection out of its config and a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import nn

from shufflenet_det.checkpoints.models import load_model, read_mmengine
from shufflenet_det.training.launch import load_config
from shufflenet_det.training.own_photos import Run

from .opening import cause


def load_detector(config: str, checkpoint: str, device: str = 'cpu') -> nn.Module:
    """A detector in eval mode, for ``mmdet.apis.inference_detector``.

    The names of its classes are the checkpoint's, or else the config's.

    Raises:
        ValueError, OSError: As ``load_config``, ``build_model``, ``read_mmengine`` and
            ``load_model``; if nothing names the classes.
    """
    cfg = load_config(config, run=Run.after(checkpoint))
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = revert_sync_batchnorm(build_model(cfg, config))
    content = read_mmengine(checkpoint)
    load_model(model, content, checkpoint)
    classes = _saved_classes(content) or _config_classes(cfg)
    model.dataset_meta = dict(classes=classes, palette='random')
    model.cfg = cfg  # where inference_detector looks for the pipeline
    return model.to(device).eval()


def build_model(cfg: Config, config: str | Path) -> nn.Module:
    """The model of a config with fresh weights.

    Args:
        cfg: The config.
        config: Its file, for the error.

    Raises:
        ValueError: If there is none, or it does not build, with the cause.
    """
    try:
        if 'init_cfg' in cfg.model.get('backbone', {}):
            cfg.model.backbone.init_cfg = None
        return MODELS.build(cfg.model)
    except Exception as error:  # a config is a program, and can fail in any way
        raise ValueError(f'{config} does not build a detector: {cause(error)}') from error


def _saved_classes(checkpoint: Mapping) -> tuple[str, ...]:
    """Class names that mmdet 3.x, or an earlier one, wrote into a checkpoint."""
    meta = checkpoint.get('meta')
    for place in ((meta or {}).get('dataset_meta'), meta):
        for key in ('classes', 'CLASSES'):
            names = place.get(key) if isinstance(place, Mapping) else None
            if names:
                return (names,) if isinstance(names, str) else tuple(map(str, names))
    return ()


def _config_classes(cfg: Config) -> tuple[str, ...]:
    dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, lazy_init=True))
    if 'classes' not in dataset.metainfo:
        raise ValueError(
            'neither the checkpoint nor the config names the classes; set '
            'test_dataloader.dataset.metainfo=dict(classes=(...)) in the config'
        )
    return tuple(dataset.metainfo['classes'])

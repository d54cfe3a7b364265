"""What a config that was read still needs, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.config import Config

from shufflenet_det.data.coco_dataset import CheckedCocoDataset
from shufflenet_det.data.training_check import datasets
from shufflenet_det.data.voc_dataset import CheckedVOCDataset, CheckedXMLDataset
from shufflenet_det.integration.type_name import type_name

from .metric import SafeCocoMetric

CHECKED = {
    'CocoDataset': CheckedCocoDataset, 'XMLDataset': CheckedXMLDataset,
    'VOCDataset': CheckedVOCDataset, 'CocoMetric': SafeCocoMetric,
}  # fmt: skip
"""Types of MMDetection -> those with the same settings that read through this package."""


def protected(cfg: Config) -> bool:
    """Whether a config switches `ProtectionHook` on."""
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or ())]
    return any(isinstance(hook, Mapping) and type_name(hook) == 'ProtectionHook' for hook in hooks)


def without_workers(cfg: Config) -> None:
    """Drop what torch refuses where the training itself loads the data."""
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader') or {}
        if loader.get('num_workers') == 0:
            for key in ('persistent_workers', 'prefetch_factor', 'timeout'):
                loader.pop(key, None)


def check_decay(cfg: Config) -> None:
    """Raises ValueError where mmengine would scale a weight decay that is not there."""
    wrapper = cfg.get('optim_wrapper') or {}
    scaled = [key for key in wrapper.get('paramwise_cfg') or () if key.endswith('decay_mult')]
    if scaled and (wrapper.get('optimizer') or {}).get('weight_decay') is None:
        raise ValueError(
            f'optim_wrapper.optimizer has no weight_decay, which paramwise_cfg.{scaled[0]} '
            'multiplies; write weight_decay=0 for none'
        )


def read_through_this_package(cfg: Config) -> None:
    """What ProtectionHook does, before a file that MMDetection itself cannot open is opened."""
    for split in ('train', 'val', 'test'):
        evaluators = cfg.get(f'{split}_evaluator') or []
        parts = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
        for part in [*datasets(cfg.get(f'{split}_dataloader') or {}), *parts]:
            checked = CHECKED.get(type_name(part))
            if checked is not None:  # by its full name, which needs no scope
                part['type'] = f'{checked.__module__}.{checked.__name__}'


def move_root(node: Mapping | list, old: str, new: str) -> None:
    """Change every path below a folder, in place."""
    old, new = old.rstrip('/'), new.rstrip('/')
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    for key, value in list(items):
        if isinstance(value, str) and (value == old or value.startswith(old + '/')):
            node[key] = new + value[len(old) :]
        elif isinstance(value, (dict, list)):
            move_root(value, old, new)

"""Puts our backbones into the config of any detector of MMDetection, and says what changes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdet.models.backbones import ResNet
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict

from shufflenet_det.archs import get_arch, out_channels
from shufflenet_det.integration.config_scope import config_path

from .channel_fields import ChannelField, head_fields, neck_fields
from .levels import backbone_levels, matching_levels, try_neck

TORCHVISION_INPUT = dict(
    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
)
"""Images as torchvision's weights were trained on."""

DETECTOR_PATHS = ('model', 'model.detector')
"""Where a config has its detector: itself, or in a tracker or a semi-supervised wrapper."""


@dataclass(frozen=True)
class Change:
    """One field of a config that the swap set; None stands for a field that is not there."""

    path: str
    before: object
    after: object

    def __str__(self) -> str:
        return f'{self.path}: {self.before!r} -> {self.after!r}'


def read_config(config: str | Path) -> Config:
    """A config by its path, or by ``mmdet::path/below/configs.py``."""
    return Config.fromfile(config_path(config) if '::' in str(config) else config)


def backbone_config(
    arch: str,
    pretrained: str | None = 'auto',
    se: bool = False,
    residual: bool = False,
    large_receptive_field: bool = False,
) -> dict:
    """The config of one of our backbones, without out_indices.

    Args:
        arch: A row of :data:`shufflenet_det.archs.ARCHS`.
        pretrained: A checkpoint; ``auto`` for the public weights of the arch, where there are
            some; None for none.
        se, residual, large_receptive_field: The paper's variants on top of the arch.
    """
    variants = dict(se=se, residual=residual, large_receptive_field=large_receptive_field)
    config = dict(type='ShuffleNetV2', arch=arch, **{k: True for k, on in variants.items() if on})
    checkpoint = get_arch(arch).pretrained if pretrained == 'auto' else pretrained
    if checkpoint is not None:
        config['init_cfg'] = dict(type='Pretrained', checkpoint=checkpoint)
    return config


def swap_backbone(cfg: Config, backbone: Mapping) -> tuple[Config, list[Change]]:
    """A config of MMDetection with another backbone, and what is different in it.

    The outputs of the new backbone are those with the strides of the old one's outputs; what
    read the old ones' channels reads the new ones'.

    Args:
        cfg: Any config that has a detector; it is left as it is.
        backbone: From :func:`backbone_config`.

    Raises:
        ValueError: If the backbone, its outputs or what reads them cannot be determined.
    """
    cfg = copy.deepcopy(cfg)
    path, detector = find_detector(cfg)
    old = backbone_levels(detector.backbone)
    out_indices = matching_levels([stride for _, stride in old], detector.backbone.type)
    channels = out_channels(backbone['arch'], out_indices)
    changes = list(_set_fields(detector, path, [c for c, _ in old], channels))
    new = dict(backbone, out_indices=out_indices, **_kept(detector.backbone, backbone))
    changes.insert(0, Change(f'{path}.backbone', dict(detector.backbone), new))
    detector.backbone = ConfigDict(new)
    changes += _set_input(cfg, backbone)
    changes += _set_surroundings(cfg)
    try_neck(detector, path)
    return cfg, changes


def find_detector(cfg: Config) -> tuple[str, ConfigDict]:
    """Path and config of the detector.

    Raises:
        ValueError: If there is none.
    """
    for path in DETECTOR_PATHS:
        node = cfg
        for key in path.split('.'):
            node = node.get(key) or {}
        if 'type' in (node.get('backbone') or {}):
            return path, node
    places = ' or '.join(f'{path}.backbone' for path in DETECTOR_PATHS)
    raise ValueError(
        f'the config has no {places}; give the config of a detector, or set the backbone by hand'
    )


def _set_fields(
    detector: ConfigDict, path: str, old: Sequence[int], new: Sequence[int]
) -> Iterator[Change]:
    found = list(neck_fields(detector)) if detector.get('neck') else _fields_of_heads(detector, old)
    doubts = [f'{path}.{field}={field.value!r}' for field in found if not field.reads(old)]
    if detector.get('roi_head', {}).get('shared_head'):
        doubts.append(f"{path}.roi_head.shared_head is the old backbone's last stage")
    if doubts or not found:
        raise ValueError(
            f'cannot tell what reads the {list(old)} channels of {path}.backbone '
            f'({detector.backbone.type}): {", ".join(doubts) or "no neck, and no head, says them"}'
            f'. Set the backbone by hand, and in_channels of what reads it to {list(new)}'
        )
    for field in found:
        before, after = field.value, field.fitting(new, old)
        field.node[field.key] = after
        yield Change(f'{path}.{field}', before, after)


def _fields_of_heads(detector: ConfigDict, old: Sequence[int]) -> list[ChannelField]:
    """Without a neck: the fields that say all channels of the backbone, or those of its one."""
    return [
        field for field in head_fields(detector)
        if field.reads(old) and (len(old) == 1 or not isinstance(field.value, int))
    ]  # fmt: skip


def _kept(old: Mapping, new: Mapping) -> dict:
    """Settings of the old backbone that hold for ours too.

    Freezing goes with weights that were trained for all layers; SE and residual units were not.
    """
    kept = {'with_cp': old['with_cp']} if old.get('with_cp') else {}
    if 'init_cfg' in new and not (new.get('se') or new.get('residual')):
        same = (
            ('frozen_stages', 'norm_eval') if issubclass(_class_of(old), ResNet) else ('norm_eval',)
        )
        kept.update({key: old[key] for key in same if key in old})
    return kept


def _class_of(config: Mapping) -> type:
    kind = config['type']
    return MODELS.get(kind) if isinstance(kind, str) else kind


def _set_input(cfg: Config, backbone: Mapping) -> Iterator[Change]:
    """Normalise images as torchvision does, where its weights are loaded."""
    checkpoint = backbone.get('init_cfg', {}).get('checkpoint', '')
    if not checkpoint.startswith('torchvision://'):
        return
    for path, preprocessor in _preprocessors(cfg):
        for key, value in TORCHVISION_INPUT.items():
            if preprocessor.get(key) != value:
                yield Change(f'{path}.{key}', preprocessor.get(key), value)
                preprocessor[key] = copy.copy(value)
        if preprocessor.pop('rgb_to_bgr', False):
            yield Change(f'{path}.rgb_to_bgr', True, None)


def _preprocessors(cfg: Config) -> Iterator[tuple[str, ConfigDict]]:
    """What normalises the images, inside the preprocessors that only pass them on."""
    nodes = {'model': cfg.model, 'model.detector': cfg.model.get('detector')}
    for path, node in nodes.items():
        found = None
        while isinstance((node or {}).get('data_preprocessor'), Mapping):
            path, node = f'{path}.data_preprocessor', node.data_preprocessor
            found = path, node
        if found:
            yield found


def _set_surroundings(cfg: Config) -> Iterator[Change]:
    imports = cfg.setdefault('custom_imports', ConfigDict(imports=[]))
    before = [imports.imports] if isinstance(imports.imports, str) else list(imports.imports)
    if 'shufflenet_det' not in before:
        imports.imports = [*before, 'shufflenet_det']
        yield Change('custom_imports.imports', before or None, imports.imports)
    if cfg.get('load_from'):
        yield Change('load_from', cfg.load_from, None)
        cfg.load_from = None
    optimizer = cfg.get('optim_wrapper') or {}
    if 'LearningRateDecay' in str(optimizer.get('constructor')):
        for key in ('constructor', 'paramwise_cfg'):
            yield Change(f'optim_wrapper.{key}', optimizer.pop(key, None), None)


def swapped_text(cfg: Config, changes: Sequence[Change], source: str) -> str:
    """The config as a file that loads by itself; its head says what was changed."""
    head = [f'# {source} with another backbone. Changed:', *(f'# - {c}' for c in changes)]
    return '\n'.join(head) + '\n\n' + cfg.pretty_text

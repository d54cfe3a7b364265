"""Puts our backbones into the config of any detector of MMDetection, and says what changes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from shufflenet_det.archs import get_arch, out_channels
from shufflenet_det.detectors.levels import built_backbone
from shufflenet_det.integration.config_errors import errors_of_config
from shufflenet_det.integration.config_scope import config_file

from .change import Change
from .fields import set_fields, try_necks
from .optimizer import keep_options
from .settings import differences, kept_settings, matching_levels
from .surroundings import clear_checkpoints, loads, set_imports, set_input
from .traits import Traits, traits_of

DETECTOR_PATHS = ('model', 'model.detector')
"""Where a config has its detector: itself, or in a tracker or a semi-supervised wrapper."""


def read_config(config: str | Path) -> Config:
    """A config by its path, or by ``mmdet::path/below/configs.py``; errors are `config_file`'s."""
    file = config_file(config)
    with errors_of_config(config):
        return Config.fromfile(file)


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


def swap_backbone(
    cfg: Config, backbone: Mapping, keep_scratch: bool = True
) -> tuple[Config, list[Change]]:
    """A config of MMDetection with another backbone, and what is different in it.

    The outputs of the new backbone are those with the strides of the old one's outputs; what
    read the old ones' channels reads the new ones'. The new backbone normalises, freezes, dilates
    and learns as the old one does when it is built, or a change says why it cannot.

    Args:
        cfg: Any config that has a detector; it is left as it is.
        backbone: From :func:`backbone_config`.
        keep_scratch: A backbone that starts from no weights does so after the swap; False loads
            the checkpoint of ``backbone`` there too.

    Raises:
        ValueError: If the backbone, its outputs or what reads them cannot be determined.
    """
    cfg = copy.deepcopy(cfg)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmdet'):
        return cfg, _swap(cfg, backbone, keep_scratch)


def _swap(cfg: Config, backbone: Mapping, keep_scratch: bool) -> list[Change]:
    """As :func:`swap_backbone`, in place."""
    path, detector = find_detector(cfg)
    before = copy.deepcopy(detector)
    traits = traits_of(before.backbone)
    cleared = list(clear_checkpoints(cfg, path))
    trained = bool(cleared) or _starts_trained(before.backbone)
    new = _new_backbone(cfg, before.backbone, backbone, traits, trained, keep_scratch)
    channels = out_channels(backbone['arch'], new['out_indices'])
    fields = list(set_fields(detector, path, [width for width, _ in traits.levels], channels))
    detector.backbone = ConfigDict(new)
    built, levels = built_backbone(new)
    try_necks(detector, path, before, (levels, traits.levels))
    return [
        Change(f'{path}.backbone', before.backbone.to_dict(), new),
        *differences(traits, new, trained, f'{path}.backbone'),
        *fields,
        *cleared,
        *set_input(cfg, new),
        *set_imports(cfg, before.backbone.type),
        *keep_options(cfg, path, traits.built, built),
    ]


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


def _starts_trained(backbone: Mapping) -> bool:
    return loads(backbone.get('init_cfg')) or loads(backbone.get('pretrained'))


def _new_backbone(
    cfg: Config, old: Mapping, backbone: Mapping, traits: Traits, trained: bool, keep_scratch: bool
) -> dict:
    """The new backbone's config; SE and residual units are not in any public weights."""
    new = dict(backbone, out_indices=matching_levels(traits, old['type']))
    if keep_scratch and not trained:
        new.pop('init_cfg', None)
    if cfg.get('default_scope', 'mmdet') != 'mmdet':
        new['type'] = f'mmdet.{new["type"]}'
    all_weights = 'init_cfg' in new and not (new.get('se') or new.get('residual'))
    return new | kept_settings(traits, old, trained, all_weights)


def swapped_text(cfg: Config, changes: Sequence[Change], source: str) -> str:
    """The config as a file that loads by itself; its head says what was changed."""
    head = [f'# {source} with another backbone. Changed:', *(f'# - {c}' for c in changes)]
    return '\n'.join(head) + '\n\n' + cfg.pretty_text

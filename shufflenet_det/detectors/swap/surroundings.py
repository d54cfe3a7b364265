"""What stands around a detector and was made for its old backbone: input, weights, imports."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from inspect import signature

from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict

from shufflenet_det.integration.type_name import type_name

from .change import Change

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
"""Of the images, RGB, that torchvision's weights were trained on."""

CLEARED = 'weights of the old detector'


def set_input(cfg: Config, backbone: Mapping) -> Iterator[Change]:
    """Normalise images as torchvision does, where its weights are loaded."""
    checkpoint = backbone.get('init_cfg', {}).get('checkpoint', '')
    if not checkpoint.startswith('torchvision://'):
        return
    for path, preprocessor in _preprocessors(cfg):
        rgb = 'to_rgb' if _takes(preprocessor, 'to_rgb') else 'bgr_to_rgb'
        for key, value in (('mean', MEAN), ('std', STD), (rgb, True)):
            if preprocessor.get(key) != value:
                yield Change(f'{path}.{key}', preprocessor.get(key), value)
                preprocessor[key] = copy.copy(value)
        if preprocessor.pop('rgb_to_bgr', False):
            yield Change(f'{path}.rgb_to_bgr', True, None)


def _takes(preprocessor: Mapping, name: str) -> bool:
    found = MODELS.get(type_name(preprocessor))
    return found is not None and name in signature(found).parameters


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


def clear_checkpoints(cfg: Config, path: str) -> Iterator[Change]:
    """Take away the checkpoints that the detector, with its backbone, would be loaded from."""
    if cfg.get('load_from'):
        yield Change('load_from', cfg.load_from, None, CLEARED)
        cfg.load_from = None
    node, where = cfg, []
    for key in path.split('.'):
        node = node[key]
        where.append(key)
        for name in ('init_cfg', 'pretrained'):
            if loads(node.get(name)):
                yield Change(f'{".".join(where)}.{name}', _plain(node[name]), None, CLEARED)
                del node[name]


def loads(init_cfg: object) -> bool:
    """Whether an ``init_cfg``, or an old ``pretrained``, takes weights out of a checkpoint."""
    if isinstance(init_cfg, Mapping):
        return bool(init_cfg.get('checkpoint'))
    if isinstance(init_cfg, Sequence) and not isinstance(init_cfg, str):
        return any(map(loads, init_cfg))
    return bool(init_cfg)


def set_imports(cfg: Config, old_type: object) -> Iterator[Change]:
    """Import this package, and no longer one that only the old backbone came from."""
    imports = cfg.get('custom_imports') or {}
    names = imports.get('imports') or []
    before = [names] if isinstance(names, str) else list(names)
    package = old_type.split('.')[0] if isinstance(old_type, str) and '.' in old_type else None
    after = [
        name for name in before
        if name.split('.')[0] != package or f"'{package}." in repr(_without_imports(cfg))
    ]  # fmt: skip
    if 'shufflenet_det' not in after:
        after.append('shufflenet_det')
    if after != before:
        cfg.custom_imports = ConfigDict(dict(imports), imports=after)
        yield Change('custom_imports.imports', before or None, after)


def _without_imports(cfg: Config) -> dict:
    return {key: value for key, value in cfg.to_dict().items() if key != 'custom_imports'}


def _plain(value: object) -> object:
    return value.to_dict() if isinstance(value, ConfigDict) else value

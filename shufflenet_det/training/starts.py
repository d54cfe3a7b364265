"""Weights that a training on few images can start from, the best first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mmengine.config import Config, ConfigDict

from shufflenet_det.checkpoints.download import resolve
from shufflenet_det.integration.config_scope import config_root
from shufflenet_det.integration.type_name import type_name

GIVEN = 'load_from'


@dataclass(frozen=True)
class Start:
    """Weights, and what a config has to be for them.

    Args:
        what: In words.
        checkpoint: Path or URL, from the config; None where nothing is loaded.
        change: Makes the config fit, in place.
    """

    what: str
    checkpoint: Callable[[Config], str | None]
    change: Callable[[Config], None]


def _own_checkpoint(cfg: Config) -> str | None:
    return (cfg.model.backbone.get('init_cfg') or {}).get('checkpoint')


def _imagenet(cfg: Config) -> None:
    """RGB, ReLU, and statistics that stay as ImageNet gave them."""
    usual = Config.fromfile(config_root('shufflenet_det') / '_base_/lighthead_s.py').model
    _load_nothing(cfg)
    cfg.model.data_preprocessor = usual.data_preprocessor
    cfg.model.backbone.pop('act_cfg', None)
    cfg.model.backbone.update(
        norm_eval=True,
        frozen_stages=usual.backbone.frozen_stages,
        init_cfg=ConfigDict(type='Pretrained', checkpoint=_torchvision(cfg)),
    )


def _torchvision(cfg: Config) -> str:
    return f'torchvision://shufflenet_v2_x{cfg.model.backbone.arch.rstrip("x").replace(".", "_")}'


def _scratch(cfg: Config) -> None:
    """Nothing is frozen, and the backbone learns at the rate of all else."""
    _load_nothing(cfg)
    cfg.model.backbone.update(norm_eval=False, frozen_stages=-1)
    cfg.optim_wrapper.get('paramwise_cfg', {}).get('custom_keys', {}).pop('backbone', None)


def _load_nothing(cfg: Config) -> None:
    for part in cfg.model.values():
        if isinstance(part, dict) and type_name(part.get('init_cfg') or {}).startswith(
            'Pretrained'
        ):
            part.init_cfg = None


STARTS = {
    'coco': Start('trained on COCO', _own_checkpoint, lambda cfg: None),
    'imagenet': Start('a backbone trained on ImageNet', _torchvision, _imagenet),
    'scratch': Start('nothing: trained from scratch', lambda cfg: None, _scratch),
}
"""Name -> row, the best first."""


def choose(cfg: Config, wanted: str | None = None) -> tuple[str, str]:
    """A row of STARTS whose weights are at hand or can be fetched, and why it is taken.

    Raises:
        ValueError: If ``wanted`` is none of them.
        OSError: If ``wanted`` cannot be fetched.
    """
    if wanted is not None and wanted not in STARTS:
        raise ValueError(f'own_photos.start={wanted} is not known; there are {list(STARTS)}')
    missed = []
    for name, row in STARTS.items():
        if wanted not in (None, name):
            continue
        checkpoint = row.checkpoint(cfg)
        if checkpoint is None and name != 'scratch':
            continue
        cause = _why_absent(checkpoint)
        if cause is None:
            return name, '; '.join([row.what, *filter(None, [checkpoint]), *missed])
        if wanted:
            raise FileNotFoundError(f'own_photos.start={wanted}: {cause}')
        missed.append(f'{name} is not at hand ({cause})')
    raise ValueError(
        f'own_photos.start={wanted}: the backbone of the config names no weights; set its '
        f'init_cfg, or take another of {list(STARTS)}'
    )


def _why_absent(checkpoint: str | None) -> str | None:
    try:
        path = resolve(checkpoint) if checkpoint else None
    except (OSError, ValueError) as error:
        return ' '.join(str(error).split())
    return None if path is None or path.is_file() else f'{path}: no such file'

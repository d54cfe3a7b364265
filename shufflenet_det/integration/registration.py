"""What MMEngine's and MMDetection's registries learn: where our modules are, and one check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from pkgutil import resolve_name
from types import ModuleType

LOCATIONS = {
    'DATA_SAMPLERS': ('shufflenet_det.training.resume',),
    'DATASETS': (
        'shufflenet_det.data.coco_dataset',
        'shufflenet_det.data.demo_dataset',
        'shufflenet_det.data.voc_dataset',
    ),
    'HOOKS': (
        'shufflenet_det.training.checkpoint',
        'shufflenet_det.training.fast_cpu',
        'shufflenet_det.training.protection',
        'shufflenet_det.training.statistics',
    ),
    'LOOPS': ('shufflenet_det.training.resume',),
    'METRICS': ('shufflenet_det.training.metric',),
    'MODELS': (
        'shufflenet_det.backbones.densenet',
        'shufflenet_det.backbones.mmdet_levels',
        'shufflenet_det.backbones.mobilenet_v1',
        'shufflenet_det.backbones.shufflenet_v1',
        'shufflenet_det.backbones.shufflenet_v2',
        'shufflenet_det.backbones.xception',
        'shufflenet_det.detectors',
    ),
    'OPTIM_WRAPPERS': ('shufflenet_det.training.bfloat16',),
    'TASK_UTILS': ('shufflenet_det.detectors',),
    'TRANSFORMS': ('shufflenet_det.data.images',),
}
"""Registry -> modules that it imports when it is first asked for a class."""

SCOPES = ('mmdet', 'mmpose', 'mmpretrain', 'mmrotate', 'mmseg', 'mmyolo')
"""Packages whose models are checked; each has a registry of its own."""

CHECK = 'shufflenet_det.detectors.channel_fields:check_channels'
"""Called with the config and what was built from it."""

CHECKS = '_checks_channels'
"""Attribute of a function that does."""


def locate(registries: ModuleType) -> None:
    """Tell the registries of `mmengine.registry` or `mmdet.registry` where our modules are.

    One that has been asked already, and imports its locations only once, gets them now.
    """
    if find_spec('mmdet') is None:
        return
    for name, modules in LOCATIONS.items():
        registry = getattr(registries, name)
        registry._locations = [*registry._locations, *modules]
        if registry._imported:
            for module in modules:
                import_module(module)


def register(name: str) -> Callable[[type], type]:
    """Class decorator for what any Runner uses: MMEngine's registry and MMDetection's know it.

    A registry looks only in itself for a name with the prefix of its own scope, so that
    ``mmdet.NAME`` in MMDetection's scope needs the second.

    Args:
        name: Of the two registries, e.g. ``HOOKS``.
    """

    def register_with_both(kind: type) -> type:
        for package in ('mmengine', 'mmdet'):
            registries = import_module(f'{package}.registry')
            getattr(registries, name).register_module(module=kind)
        return kind

    return register_with_both


def check_detectors(registries: ModuleType) -> None:
    """Check every model that the registry builds around one of our backbones.

    A registry has its parent's function, which may check already.
    """
    build = registries.MODELS.build_func
    if not getattr(build, CHECKS, False):
        registries.MODELS.build_func = _checked(build)


def _checked(build: Callable) -> Callable:
    @wraps(build)
    def build_and_check(cfg, *args, **kwargs) -> object:
        model = build(cfg, *args, **kwargs)
        if isinstance(cfg, Mapping) and hasattr(getattr(model, 'backbone', None), 'out_channels'):
            resolve_name(CHECK)(cfg, model)
        return model

    setattr(build_and_check, CHECKS, True)
    return build_and_check

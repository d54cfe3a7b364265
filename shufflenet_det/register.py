"""Makes MMDetection know this package: mmcv ops first, then every registered module."""

from . import mmcv_finder, serialization

mmcv_finder.install()
serialization.allow_mmengine_types()

from . import backbones, detectors, robust  # noqa: E402
from .data import demo_dataset  # noqa: E402

__all__ = ['backbones', 'demo_dataset', 'detectors', 'robust']

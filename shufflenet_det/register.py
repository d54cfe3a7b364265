"""Makes MMDetection know this package: mmcv ops and configs first, then registered modules."""

from . import config_scope, mmcv_finder, serialization

mmcv_finder.install()
serialization.allow_mmengine_types()
config_scope.install()

from . import backbones, detectors, precision, robust  # noqa: E402
from .data import demo_dataset  # noqa: E402

__all__ = ['backbones', 'demo_dataset', 'detectors', 'precision', 'robust']

"""Makes MMDetection know this package: mmcv ops and configs first, then registered modules."""

from . import config_scope, mmcv_finder, serialization

mmcv_finder.install()
serialization.allow_mmengine_types()
config_scope.install()

from . import backbones, detectors, mmdet_fixes, precision, readers, robust  # noqa: E402
from .data import demo_dataset  # noqa: E402

mmdet_fixes.install()
readers.install()

__all__ = ['backbones', 'demo_dataset', 'detectors', 'precision', 'readers', 'robust']

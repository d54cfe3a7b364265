"""Makes MMDetection know this package: mmcv ops and configs first, then registered modules."""

from .checkpoints import safe_types
from .integration import config_scope, startup

startup.install()
safe_types.allow_mmengine_types()
config_scope.install()

from . import backbones, detectors, training  # noqa: E402
from .data import demo_dataset  # noqa: E402
from .detectors import channel_readers  # noqa: E402
from .integration import mmdet_fixes  # noqa: E402
from .training import bfloat16  # noqa: E402

mmdet_fixes.install()
channel_readers.install()

__all__ = ['backbones', 'bfloat16', 'channel_readers', 'demo_dataset', 'detectors', 'training']

"""Faults of single releases of mmdet that keep a detector from working with any backbone."""

from __future__ import annotations

import sys
from functools import wraps
from types import ModuleType


def let_ssd_predict(module: ModuleType) -> None:
    """mmdet 3.3.0's SSD head reads a loss_cls that it never sets (mmdetection issue 11063)."""
    if sys.modules['mmdet'].__version__ != '3.3.0':  # a fork is installed under another name
        return
    init = module.SSDHead.__init__

    @wraps(init)
    def with_loss_cls(self, *args, **kwargs) -> None:
        init(self, *args, **kwargs)
        if not hasattr(self, 'loss_cls'):
            self.loss_cls = None

    module.SSDHead.__init__ = with_loss_cls

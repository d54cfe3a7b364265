"""Faults of single releases of mmdet that keep a detector from working with any backbone."""

from __future__ import annotations

import sys
from functools import wraps
from types import ModuleType


def _is_mended() -> bool:
    return sys.modules['mmdet'].__version__ != '3.3.0'  # a fork is installed under another name


def let_ssd_predict(module: ModuleType) -> None:
    """mmdet 3.3.0's SSD head reads a loss_cls that it never sets (mmdetection issue 11063)."""
    if _is_mended():
        return
    init = module.SSDHead.__init__

    @wraps(init)
    def with_loss_cls(self, *args, **kwargs) -> None:
        init(self, *args, **kwargs)
        if not hasattr(self, 'loss_cls'):
            self.loss_cls = None

    module.SSDHead.__init__ = with_loss_cls


def let_boxes_lie_outside(module: ModuleType) -> None:
    """mmdet 3.3.0 cannot paste masks on a CPU whose boxes all lie outside the image."""
    if _is_mended():
        return
    paste = module._do_paste_mask

    @wraps(paste)
    def paste_or_nothing(masks, boxes, img_h, img_w, skip_empty=True) -> tuple:
        if skip_empty:
            first = (boxes[:, :2].amin(0).floor() - 1).clamp(min=0)
            last = boxes[:, 2:].amax(0).ceil() + 1
            if (first >= last.minimum(last.new_tensor([img_w, img_h]))).any():
                return masks.new_zeros(len(masks), 0, 0), (slice(0, 0), slice(0, 0))
        return paste(masks, boxes, img_h, img_w, skip_empty)

    module._do_paste_mask = paste_or_nothing

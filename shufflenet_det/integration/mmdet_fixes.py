"""Faults of mmdet 3.3.0 that keep a detector from working with any backbone."""

from functools import wraps

from mmdet.models.dense_heads import SSDHead


def install() -> None:
    """Let SSD predict: its head reads a loss_cls that it never sets (mmdetection issue 11063)."""
    init = SSDHead.__init__

    @wraps(init)
    def with_loss_cls(self, *args, **kwargs) -> None:
        init(self, *args, **kwargs)
        if not hasattr(self, 'loss_cls'):
            self.loss_cls = None

    SSDHead.__init__ = with_loss_cls

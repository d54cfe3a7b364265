"""The Xception-like network of Light-Head R-CNN (arXiv 1711.07264) as an MMDetection backbone."""

from __future__ import annotations

from mmdet.registry import MODELS

from .base import check_choice
from .peer_archs import XCEPTION_ARCHS
from .shufflenet_v1 import BottleneckBackbone


@MODELS.register_module()
class Xception(BottleneckBackbone):
    """Bottlenecks whose 3x3 conv is depthwise, without pre-activation.

    Source: arXiv 1711.07264, table 7. A unit is ShuffleNet V1's with one group, which is what
    arXiv 1707.01083, section 3.2, calls Xception-like; 1.0x then has 143M of the 145M macs
    that are printed. arXiv 1807.11164, section 4, says that a unit's receptive field is 7, which
    needs three depthwise convs and gives 155M.

    Args:
        arch: ``'0.5x'``, ``'1.0x'``, ``'1.5x'`` or ``'2.0x'``, or with ``_rf7`` behind it, as
            ``'1.0x_rf7'``, that of three depthwise convs.
        kwargs: As in :class:`shufflenet_det.backbones.base.LevelBackbone`; levels 0 to 3.

    Raises:
        ValueError: If arch or an argument of the levels is not allowed.
    """

    def __init__(self, arch: str = '1.0x', **kwargs) -> None:
        check_choice('arch', arch, XCEPTION_ARCHS)
        super().__init__(XCEPTION_ARCHS[arch], **kwargs)

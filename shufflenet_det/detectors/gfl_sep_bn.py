"""GFL's head with batch norms of each level's own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from mmcv.cnn import Scale
from mmdet.models.dense_heads import GFLHead
from mmdet.models.utils import multi_apply
from mmdet.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class GFLSepBNHead(GFLHead):
    """GFLHead (arXiv 2006.04388) whose levels share convs and have a norm each.

    With one batch norm for all levels, training normalises each level by its own statistics and a
    test all of them by one mean. The authors take group norm, RetinaSepBNHead and RTMDetSepBNHead
    norms as here.

    Args:
        kwargs: As in GFLHead.
    """

    def _init_layers(self) -> None:
        towers = []
        for _ in self.prior_generator.strides:
            super()._init_layers()
            towers.append((self.cls_convs, self.reg_convs))
        for level in towers[1:]:
            for conv, first in zip(chain(*level), chain(*towers[0]), strict=True):
                conv.conv = first.conv
        self.cls_convs, self.reg_convs = map(nn.ModuleList, zip(*towers, strict=True))

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Of each level: class logits (N, classes, H, W), box bins (N, 4 * (reg_max + 1), H, W)."""
        return multi_apply(self.forward_single, x, self.scales, self.cls_convs, self.reg_convs)

    def forward_single(
        self, x: Tensor, scale: Scale, cls_convs: nn.ModuleList, reg_convs: nn.ModuleList
    ) -> tuple[Tensor, Tensor]:
        of_classes = of_boxes = x
        for cls_conv, reg_conv in zip(cls_convs, reg_convs, strict=True):
            of_classes, of_boxes = cls_conv(of_classes), reg_conv(of_boxes)
        return self.gfl_cls(of_classes), scale(self.gfl_reg(of_boxes)).float()

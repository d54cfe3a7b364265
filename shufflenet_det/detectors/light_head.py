"""Light-Head R-CNN (arXiv 1711.07264) out of MMDetection's two-stage parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmcv.cnn import build_norm_layer
from mmdet.models.dense_heads import RPNHead
from mmdet.models.detectors import TwoStageDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.registry import MODELS
from mmdet.structures.bbox import get_box_tensor
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from shufflenet_det.integration.type_name import type_name

from .channels import fill_from_backbone
from .rpn_nms import batched_nms_topk

PS_BINS = 7


class _ScaleGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """A tensor as it is, whose gradient is multiplied by a factor; where none is kept, x itself."""
    if factor == 1 or not (torch.is_grad_enabled() and x.requires_grad):
        return x
    return _ScaleGradient.apply(x, factor)


@MODELS.register_module()
class LargeSeparableConv2d(BaseModule):
    """Large separable convolution that makes the thin feature map.

    Source: arXiv 1711.07264, figure 3, with the authors' code: k x 1 then 1 x k, plus 1 x k then
    k x 1, biases, no normalisation, one ReLU after the sum, weights from N(0, 0.01).
    Maps (N, in_channels, H, W) to (N, out_channels, H, W).

    Args:
        in_channels: Channels of the feature map that is read (C5).
        mid_channels: Channels between the two convs of a path; 64 in setting S, 256 in L.
        out_channels: alpha * p * p channels of the thin map, 10 * 7 * 7 = 490 in the paper.
        kernel_size: k, odd, so that the map keeps its size.
        norm_cfg: Normalisation between the sum and its ReLU, that of the levels of a pyramid in
            common; None as in the paper. Training from scratch is much faster with it.
        gradient_factor: The gradients of the convs' weights and biases are multiplied by it, that
            of the feature map that is read is not; 3 in the authors' code.
        init_cfg: As in every MMDetection module.

    Raises:
        ValueError: If kernel_size is even, or gradient_factor is not above 0.
    """

    def __init__(
        self,
        in_channels: int,
        mid_channels: int = 64,
        out_channels: int = 10 * PS_BINS**2,
        kernel_size: int = 15,
        norm_cfg: dict | None = None,
        gradient_factor: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.01))
        if kernel_size % 2 == 0:
            raise ValueError(f'kernel_size={kernel_size} is not allowed; give an odd number')
        if gradient_factor <= 0:
            raise ValueError(
                f'gradient_factor={gradient_factor} is not allowed; give a number above 0'
            )
        self.gradient_factor = gradient_factor
        column, row = (kernel_size, 1), (1, kernel_size)
        self.column_row = self._path(in_channels, mid_channels, out_channels, column, row)
        self.row_column = self._path(in_channels, mid_channels, out_channels, row, column)
        self.norm = build_norm_layer(norm_cfg, out_channels)[1] if norm_cfg else nn.Identity()

    @staticmethod
    def _path(c_in: int, c_mid: int, c_out: int, first: tuple, second: tuple) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(c_in, c_mid, first, padding=(first[0] // 2, first[1] // 2)),
            nn.Conv2d(c_mid, c_out, second, padding=(second[0] // 2, second[1] // 2)),
        )

    def _sum(self, x: Tensor) -> Tensor:
        x = scale_gradient(x, 1 / self.gradient_factor)
        return scale_gradient(self.column_row(x) + self.row_column(x), self.gradient_factor)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self._sum(x)))

    def of_levels(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps of the levels of a pyramid.

        Batch norm that learns takes its statistics over all of them: by those of each level,
        training would see other maps than a test, which has one mean for all.
        """
        if len(levels) == 1 or not isinstance(self.norm, _BatchNorm) or not self.norm.training:
            return tuple(map(self, levels))
        sums = [self._sum(x).permute(0, 2, 3, 1) for x in levels]
        rows = torch.cat([y.flatten(1, 2) for y in sums], 1).transpose(1, 2)  # (N, C, cells)
        maps = torch.relu(self.norm(rows.unsqueeze(-1))).squeeze(-1).transpose(1, 2)
        cells = maps.split([y.shape[1] * y.shape[2] for y in sums], 1)
        return tuple(
            one.reshape(y.shape).permute(0, 3, 1, 2) for one, y in zip(cells, sums, strict=True)
        )


@MODELS.register_module()
class LevelRPNHead(RPNHead):
    """MMDetection's RPNHead on some of the levels that the detector hands out, with a faster NMS.

    Args:
        in_indices: Levels of the detector's feature tuple that the RPN reads; (0,) is C4 of a
            detector that hands out C4 and C5. None reads all.
        kwargs: As in RPNHead.
    """

    def __init__(self, in_indices: Sequence[int] | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.in_indices = in_indices

    def forward(self, x: tuple[Tensor, ...]) -> tuple[list[Tensor], list[Tensor]]:
        if self.in_indices is not None:
            x = tuple(x[i] for i in self.in_indices)
        return super().forward(x)

    def _bbox_post_process(
        self,
        results: InstanceData,
        cfg: ConfigDict,
        rescale: bool = False,
        with_nms: bool = True,
        img_meta: dict | None = None,
    ) -> InstanceData:
        """RPNHead's, by an NMS that stops at ``max_per_img`` boxes; the same boxes are kept.

        Any setting but plain NMS goes to RPNHead, and so does a result without a box.
        """
        plain = set(cfg.nms) == {'type', 'iou_threshold'} and type_name(cfg.nms) == 'nms'
        if not plain or rescale or not with_nms or not len(results):
            return super()._bbox_post_process(results, cfg, rescale, with_nms, img_meta)
        if cfg.get('min_bbox_size', -1) >= 0:
            boxes = get_box_tensor(results.bboxes)
            results = results[(boxes[:, 2:] - boxes[:, :2] > cfg.min_bbox_size).all(1)]
        keep = batched_nms_topk(
            get_box_tensor(results.bboxes), results.scores, results.level_ids,
            cfg.nms['iou_threshold'], cfg.max_per_img,
        )  # fmt: skip
        results = results[keep]
        results.labels = torch.zeros_like(results.pop('level_ids'))
        return results


@MODELS.register_module()
class LightHeadRoIHead(StandardRoIHead):
    """RoI head on thin feature maps (arXiv 1711.07264, section 3).

    Thin maps are made from the chosen levels, by one large separable conv that the levels
    share; RoIs are pooled from them position-sensitively; one fully connected layer follows
    (MMDetection's ConvFCBBoxHead with num_shared_fcs=1).

    Args:
        thin_map: Config of the thin map, e.g. dict(type='LargeSeparableConv2d').
        in_indices: Levels of the detector's feature tuple that get a thin map, finest first.
        kwargs: As in StandardRoIHead.
    """

    def __init__(self, thin_map: dict, in_indices: Sequence[int] = (-1,), **kwargs) -> None:
        super().__init__(**kwargs)
        self.thin_map = MODELS.build(thin_map)
        self.in_indices = in_indices

    def thin_maps(self, x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Thin maps (N, alpha * p * p, H, W) of the chosen levels (N, C, H, W)."""
        return self.thin_map.of_levels([x[i] for i in self.in_indices])

    def forward(self, x: tuple[Tensor, ...], *args, **kwargs) -> tuple:
        return super().forward(self.thin_maps(x), *args, **kwargs)

    def loss(self, x: tuple[Tensor, ...], *args, **kwargs) -> dict:
        return super().loss(self.thin_maps(x), *args, **kwargs)

    def predict(self, x: tuple[Tensor, ...], *args, **kwargs) -> list:
        return super().predict(self.thin_maps(x), *args, **kwargs)


@MODELS.register_module()
class LightHeadRCNN(TwoStageDetector):
    """Light-Head R-CNN (arXiv 1711.07264).

    The RPN reads C4, the thin map is made from C5 (single-level form), or both read the levels
    of an FPN. Where the config leaves them out, in_channels and strides of neck, RPN, thin map
    and RoI extractor are read from ``backbone.out_channels`` and ``backbone.out_strides``.

    Args:
        backbone, neck, rpn_head, roi_head, kwargs: As in TwoStageDetector.

    Raises:
        ValueError: If the config states channels or strides that are not the backbone's.
    """

    def __init__(
        self,
        backbone: dict,
        rpn_head: dict,
        roi_head: dict,
        neck: dict | None = None,
        **kwargs,
    ) -> None:
        neck, rpn_head, roi_head = fill_from_backbone(backbone, neck, rpn_head, roi_head)
        super().__init__(
            backbone=backbone, neck=neck, rpn_head=rpn_head, roi_head=roi_head, **kwargs
        )

"""A Light-Head R-CNN as one graph of tensors, for export: no Python that looks at values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from shufflenet_det.detectors import LightHeadRCNN, PSRoIAlign
from shufflenet_det.detectors.ps_roi import pool_guarded, ps_roi_align_as_roi_align
from shufflenet_det.detectors.roi_guard import sanitize_rois

from .fixed_nms import fixed_nms_mask
from .graph_ops import nms_mask, top
from .graph_parts import (
    NMS,
    NO_PROPOSAL,
    BoxDecoder,
    Preprocess,
    Proposals,
    apart,
    image_limit,
    iou_threshold,
    levels_of,
    require,
    take,
)


class PlainRoIAlign(nn.Module):
    """A PSRoIAlign layer by plain RoI align, an operator that ONNX has."""

    def __init__(self, layer: PSRoIAlign) -> None:
        super().__init__()
        self.args = (
            layer.output_size[0], layer.spatial_scale, layer.sampling_ratio, layer.mode
        )  # fmt: skip
        self.output_size = layer.output_size

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        return ps_roi_align_as_roi_align(input, rois, *self.args)


class PyramidRoIAlign(nn.Module):
    """PSRoIExtractor on levels (N, C, H, W) and RoIs (K, 5), in operators that ONNX has.

    Each level gets a RoI of its own in front, which is dropped at the end: OpenCV 5 ends the
    process where a level has none.
    """

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        for layer in extractor.roi_layers:
            require(isinstance(layer, PSRoIAlign), 'roi_layer', 'PSRoIAlign', layer)
        self.layers = nn.ModuleList(map(PlainRoIAlign, extractor.roi_layers))
        self.level_of = extractor.map_roi_levels
        self.register_buffer('own', torch.zeros(len(self.layers), 5))

    def forward(self, maps: Sequence[Tensor], rois: Tensor) -> Tensor:
        count = len(maps)
        if count == 1:
            return self.layers[0](maps[0], rois)
        levels = self.level_of(rois, count).clamp(0, count - 1)
        levels = torch.cat((torch.arange(count, device=rois.device), levels))
        rois = torch.cat((self.own, rois))
        members = [(levels == level).nonzero().squeeze(1) for level in range(count)]
        pooled = [
            layer(level, rois[member])
            for layer, level, member in zip(self.layers, maps, members, strict=True)
        ]
        return torch.cat(pooled)[torch.cat(members).argsort()][count:]


class EveryLevelRoIAlign(nn.Module):
    """PSRoIExtractor on levels (N, C, H, W) and RoIs (K, 5), with shapes that are always the same.

    Every RoI is pooled from every level, and has its own one picked: shapes that follow the boxes
    would cost a GPU more. RoIs are of existing images.
    """

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        for layer in extractor.roi_layers:
            require(isinstance(layer, PSRoIAlign), 'roi_layer', 'PSRoIAlign', layer)
        self.layers, self.level_of = extractor.roi_layers, extractor.map_roi_levels

    def forward(self, maps: Sequence[Tensor], rois: Tensor) -> Tensor:
        rois = sanitize_rois(rois)
        pooled, *others = (
            pool_guarded(level, rois, layer.output_size[0], layer.spatial_scale,
                         layer.sampling_ratio, layer.mode)
            for layer, level in zip(self.layers, maps, strict=True)
        )  # fmt: skip
        levels = self.level_of(rois, len(maps)).view(-1, 1, 1, 1)
        for number, other in enumerate(others, 1):
            pooled = torch.where(levels < number, pooled, other)
        return pooled


class RoIScores(nn.Module):
    """The RoI head before its NMS.

    Levels and proposals (N, R, 4), (N, R) give boxes (N, R, 4), or (N, R, classes, 4) where each
    class has its own, and scores (N, R, classes), 0 where there is no proposal.
    """

    def __init__(self, head: nn.Module, fixed: bool = False) -> None:
        super().__init__()
        self.bbox_head, self.thin_map, self.in_indices = (
            head.bbox_head, head.thin_map, head.in_indices
        )  # fmt: skip
        pool = EveryLevelRoIAlign if fixed else PyramidRoIAlign
        self.pool = pool(head.bbox_roi_extractor)
        self.decode = BoxDecoder(self.bbox_head.bbox_coder)
        agnostic = self.bbox_head.reg_class_agnostic
        self.box_shape = (4,) if agnostic else (self.bbox_head.num_classes, 4)

    def forward(
        self, levels: Sequence[Tensor], boxes: Tensor, scores: Tensor, limit: Tensor
    ) -> tuple[Tensor, Tensor]:
        images, rois = boxes.shape[0], boxes.shape[1]
        maps = tuple(self.thin_map(levels[i]).float() for i in self.in_indices)
        image = torch.arange(images, device=boxes.device).to(boxes.dtype)
        image = image.view(-1, 1, 1).expand(-1, rois, 1)
        pooled = self.pool(maps, torch.cat((image, boxes), -1).view(-1, 5))
        torch._check(pooled.shape[0] == images * rois)  # the levels' parts sum up to all RoIs
        logits, deltas = self.bbox_head(pooled.to(levels[0].dtype))
        class_scores = logits.float().softmax(-1)[:, :-1].unflatten(0, (images, rois))
        class_scores = class_scores * (scores > NO_PROPOSAL / 2).unsqueeze(-1)
        deltas = deltas.float().view(images, rois, *self.box_shape)
        boxes = boxes.view(images, rois, *[1] * (len(self.box_shape) - 1), 4)
        return self.decode(boxes, deltas, limit), class_scores


class ClassNMS(nn.Module):
    """NMS in each class: boxes (N, K, 4), scores (N, K), labels (N, K) int64.

    K is max_per_img. Behind the last detection of an image stand zeros with label -1.
    """

    def __init__(self, cfg: Mapping, name: str = 'test_cfg.rcnn', nms: NMS = nms_mask) -> None:
        super().__init__()
        self.nms = nms
        self.iou_threshold = iou_threshold(cfg['nms'], f'{name}.nms')
        self.score_threshold, self.max_num = max(float(cfg['score_thr']), 0.0), cfg['max_per_img']
        require(self.max_num > 0, f'{name}.max_per_img', 'a positive number', self.max_num)

    def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of boxes (N, R, 4) or (N, R, classes, 4) and scores (N, R, classes)."""
        classes = scores.shape[2]
        if boxes.dim() == 3:
            boxes = boxes.unsqueeze(2).expand(-1, -1, classes, 4)
        boxes, scores = boxes.flatten(1, 2), scores.flatten(1)
        labels = torch.arange(scores.shape[1], device=boxes.device) % classes
        return self.select(boxes, scores, labels.expand_as(scores))

    def select(
        self, boxes: Tensor, scores: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of candidates (N, n, 4) with scores and labels (N, n)."""
        moved = apart(boxes, labels.to(boxes.dtype), scores, self.score_threshold)
        kept = self.nms(moved, scores, self.max_num, self.iou_threshold, self.score_threshold)
        scores, index = top(scores * kept, self.max_num)
        found = scores > self.score_threshold
        labels = labels.gather(1, index).where(found, -1)
        return take(boxes, index) * found.unsqueeze(-1), scores, labels


class DetectorGraph(nn.Module):
    """Images (N, 3, H, W) uint8, BGR, to boxes (N, K, 4), scores (N, K) and labels (N, K).

    Boxes are x1, y1, x2, y2 in pixels of the input; see `ClassNMS`. Equals the detector's own
    prediction without rescaling; takes over parts of the detector, which itself is of no use
    afterwards.

    Args:
        model: A LightHeadRCNN in its deploy form.
        postprocess: Give boxes and scores of all RoIs instead, see `RoIScores`.
        fixed: No step and no shape follows the values, so that a CUDA graph can hold all of it.
            Such a graph is not for export.

    Raises:
        ValueError: If the detector is another one, or has a part that the graph does not know.
    """

    def __init__(self, model: nn.Module, postprocess: bool = True, fixed: bool = False) -> None:
        super().__init__()
        require(isinstance(model, LightHeadRCNN), 'model', 'LightHeadRCNN and one-stage detectors '
                 '(others can be exported with --backbone-only)', type(model).__name__)  # fmt: skip
        self.preprocess = Preprocess(model.data_preprocessor)
        self.backbone, self.neck = model.backbone, model.neck if model.with_neck else None
        head, nms, class_nms = model.roi_head, nms_mask, nms_mask
        if fixed:
            nms = fixed_nms_mask
            class_nms = partial(nms, groups=head.bbox_head.num_classes)
        self.proposals = Proposals(model.rpn_head, nms)
        self.roi_scores = RoIScores(head, fixed)
        self.class_nms = ClassNMS(head.test_cfg, nms=class_nms) if postprocess else None

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        limit, levels = image_limit(images), levels_of(self, images)
        boxes, scores = self.roi_scores(levels, *self.proposals(levels, limit), limit)
        return (boxes, scores) if self.class_nms is None else self.class_nms(boxes, scores)

    def half_dense(self) -> None:
        """Convolutions and fully connected layers in half precision, boxes stay single."""
        roi = self.roi_scores
        for module in (self.backbone, self.neck, self.proposals.head, roi.thin_map, roi.bbox_head):
            if module is not None:
                module.half()


class BackboneGraph(nn.Module):
    """Images (N, 3, H, W) uint8, BGR, to the backbone's levels (N, C, H', W') in float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.preprocess = Preprocess(model.data_preprocessor)
        self.backbone, self.neck = model.backbone, None

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(map(Tensor.float, levels_of(self, images)))

    def half_dense(self) -> None:
        """The backbone in half precision."""
        self.backbone.half()

"""A Light-Head R-CNN as one graph of tensors, for export: no Python that looks at values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from shufflenet_det.detectors import LightHeadRCNN, PSRoIAlign
from shufflenet_det.detectors.ps_roi import ps_roi_align_as_roi_align

from .graph_ops import nms_mask, pad_to_multiple

NO_PROPOSAL = -1.0
"""Score that marks a place without a proposal; those of proposals lie in [0, 1]."""


class Preprocess(nn.Module):
    """DetDataPreprocessor on BGR images (N, 3, H, W) uint8 of one size.

    Gives float (N, 3, H', W'), H' and W' the next multiples of the padding divisor.
    """

    def __init__(self, preprocessor: nn.Module) -> None:
        super().__init__()
        self.flip = preprocessor._channel_conversion
        self.divisor = preprocessor.pad_size_divisor
        self.pad_value = float(preprocessor.pad_value)
        normalises = preprocessor._enable_normalize
        mean = preprocessor.mean if normalises else torch.zeros(3, 1, 1)
        std = preprocessor.std if normalises else torch.ones(3, 1, 1)
        self.register_buffer('mean', mean.clone())
        self.register_buffer('std', std.clone())

    def forward(self, images: Tensor) -> Tensor:
        x = images.float()
        x = ((x.flip(1) if self.flip else x) - self.mean) / self.std
        return pad_to_multiple(x, self.divisor, self.pad_value)


class BoxDecoder(nn.Module):
    """DeltaXYWHBBoxCoder on boxes and deltas of equal shape (..., 4), clipped to the image."""

    def __init__(self, coder) -> None:
        super().__init__()
        _require(type(coder).__name__ == 'DeltaXYWHBBoxCoder' and coder.clip_border
                 and not coder.add_ctr_clamp, 'bbox_coder',
                 'DeltaXYWHBBoxCoder with clip_border and no add_ctr_clamp', coder)  # fmt: skip
        self.register_buffer('mean', torch.tensor(coder.means))
        self.register_buffer('std', torch.tensor(coder.stds))

    def forward(self, boxes: Tensor, deltas: Tensor, limit: Tensor) -> Tensor:
        """limit (4,): width, height, width, height of the image."""
        deltas = deltas * self.std + self.mean
        max_ratio = abs(math.log(16 / 1000))
        size = boxes[..., 2:] - boxes[..., :2]
        centre = (boxes[..., :2] + boxes[..., 2:]) * 0.5 + size * deltas[..., :2]
        half = size * deltas[..., 2:].clamp(-max_ratio, max_ratio).exp() * 0.5
        return torch.cat((centre - half, centre + half), -1).clamp(min=0).minimum(limit)


class Proposals(nn.Module):
    """The RPN's prediction: levels (N, C, H, W) give boxes (N, R, 4) and scores (N, R).

    R is max_per_img, or the number of anchors where that is smaller. Places without a proposal
    have score NO_PROPOSAL.
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        _require(head.use_sigmoid_cls, 'rpn_head.loss_cls.use_sigmoid', True, False)
        self.head, self.decode = head, BoxDecoder(head.bbox_coder)
        cfg = head.test_cfg
        self.pre, self.max_num = cfg.nms_pre, cfg.max_per_img
        self.iou_threshold = _iou_threshold(cfg.nms, 'test_cfg.rpn.nms')
        self.min_size = cfg.get('min_bbox_size', -1)
        for name in ('nms_pre', 'max_per_img'):
            _require(cfg[name] > 0, f'test_cfg.rpn.{name}', 'a positive number', cfg[name])
        for i, anchors in enumerate(head.prior_generator.base_anchors):
            self.register_buffer(f'anchors{i}', anchors.clone())

    def _grid(self, level: int, height: int, width: int) -> Tensor:
        """Anchors (H * W * A, 4) in the order of the head's permuted outputs."""
        step_x, step_y = self.head.prior_generator.strides[level]
        anchors = getattr(self, f'anchors{level}')
        x = torch.arange(width, device=anchors.device) * float(step_x)
        y = torch.arange(height, device=anchors.device) * float(step_y)
        x, y = x.view(1, -1, 1), y.view(-1, 1, 1)
        sides = (x, y, x, y)
        columns = [anchors[:, i].view(1, 1, -1) + sides[i] for i in range(4)]
        columns = [(column + torch.zeros_like(x + y)).flatten() for column in columns]
        return torch.stack(columns, -1)

    def _level(self, level: int, logits: Tensor, deltas: Tensor, limit: Tensor):
        anchors = self._grid(level, logits.shape[2], logits.shape[3])
        scores = logits.permute(0, 2, 3, 1).flatten(1).sigmoid()
        deltas = deltas.permute(0, 2, 3, 1).reshape(deltas.shape[0], -1, 4)
        scores, index = scores.topk(torch.sym_min(self.pre, scores.shape[1]), dim=1)
        return self.decode(anchors[index], _take(deltas, index), limit), scores

    def forward(self, levels: Sequence[Tensor], limit: Tensor) -> tuple[Tensor, Tensor]:
        outputs = zip(*(map(Tensor.float, part) for part in self.head(levels)), strict=True)
        found = [self._level(i, *output, limit) for i, output in enumerate(outputs)]
        boxes, scores = (torch.cat(part, 1) for part in zip(*found, strict=True))
        size = boxes[..., 2:] - boxes[..., :2]
        scores = scores.where((size > self.min_size).all(-1), NO_PROPOSAL)
        groups = [torch.full_like(s[0], float(i)) for i, (_, s) in enumerate(found)]
        apart = boxes if len(found) == 1 else _apart(boxes, torch.cat(groups), scores, 0.0)
        kept = nms_mask(apart, scores, self.max_num, self.iou_threshold, NO_PROPOSAL / 2)
        scores = scores.where(kept, NO_PROPOSAL)
        scores, index = scores.topk(torch.sym_min(self.max_num, scores.shape[1]), dim=1)
        return _take(boxes, index), scores


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


class RoIScores(nn.Module):
    """The RoI head before its NMS.

    Levels and proposals (N, R, 4), (N, R) give boxes (N, R, 4), or (N, R, classes, 4) where each
    class has its own, and scores (N, R, classes), 0 where there is no proposal.
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        extractor, self.bbox_head = head.bbox_roi_extractor, head.bbox_head
        for layer in extractor.roi_layers:
            _require(isinstance(layer, PSRoIAlign), 'roi_layer', 'PSRoIAlign', layer)
        extractor.roi_layers = nn.ModuleList(map(PlainRoIAlign, extractor.roi_layers))
        self.extractor, self.thin_map, self.in_indices = extractor, head.thin_map, head.in_indices
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
        pooled = self.extractor(maps, torch.cat((image, boxes), -1).view(-1, 5))
        torch._check(pooled.shape[0] == images * rois)  # the levels' parts sum up to all RoIs
        logits, deltas = self.bbox_head(pooled.to(levels[0].dtype))
        class_scores = logits.float().softmax(-1)[:, :-1].unflatten(0, (images, rois))
        class_scores = class_scores * (scores > NO_PROPOSAL / 2).unsqueeze(-1)
        deltas = deltas.float().view(images, rois, *self.box_shape)
        boxes = boxes.view(images, rois, *[1] * (len(self.box_shape) - 1), 4)
        return self.decode(boxes, deltas, limit), class_scores


class Detections(nn.Module):
    """NMS in each class: boxes (N, K, 4), scores (N, K), labels (N, K) int64.

    K is max_per_img. Behind the last detection of an image stand zeros with label -1.
    """

    def __init__(self, cfg: Mapping) -> None:
        super().__init__()
        self.iou_threshold = _iou_threshold(cfg['nms'], 'test_cfg.rcnn.nms')
        self.score_threshold, self.max_num = max(float(cfg['score_thr']), 0.0), cfg['max_per_img']
        _require(self.max_num > 0, 'test_cfg.rcnn.max_per_img', 'a positive number', self.max_num)

    def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        classes = scores.shape[2]
        if boxes.dim() == 3:
            boxes = boxes.unsqueeze(2).expand(-1, -1, classes, 4)
        boxes, scores = boxes.flatten(1, 2), scores.flatten(1)
        label = torch.arange(scores.shape[1], device=boxes.device) % classes
        apart = _apart(boxes, label.to(boxes.dtype), scores, self.score_threshold)
        kept = nms_mask(apart, scores, self.max_num, self.iou_threshold, self.score_threshold)
        scores, index = (scores * kept).topk(torch.sym_min(self.max_num, scores.shape[1]), dim=1)
        found = scores > self.score_threshold
        labels = label[index].where(found, -1)
        return _take(boxes, index) * found.unsqueeze(-1), scores, labels


class DetectorGraph(nn.Module):
    """Images (N, 3, H, W) uint8, BGR, to boxes (N, K, 4), scores (N, K) and labels (N, K).

    Boxes are x1, y1, x2, y2 in pixels of the input; see `Detections`. Equals the detector's own
    prediction without rescaling; takes over parts of the detector, which itself is of no use
    afterwards.

    Args:
        model: A LightHeadRCNN in its deploy form.
        postprocess: Give boxes and scores of all RoIs instead, see `RoIScores`.

    Raises:
        ValueError: If the detector is another one, or has a part that the graph does not know.
    """

    def __init__(self, model: nn.Module, postprocess: bool = True) -> None:
        super().__init__()
        _require(isinstance(model, LightHeadRCNN), 'model', 'LightHeadRCNN (other detectors can '
                 'be exported with --backbone-only)', type(model).__name__)  # fmt: skip
        self.preprocess = Preprocess(model.data_preprocessor)
        self.backbone, self.neck = model.backbone, model.neck if model.with_neck else None
        self.proposals = Proposals(model.rpn_head)
        self.roi_scores = RoIScores(model.roi_head)
        self.detections = Detections(model.roi_head.test_cfg) if postprocess else None

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        height, width = images.shape[2], images.shape[3]
        limit = torch.stack([torch.scalar_tensor(s) for s in (width, height)] * 2)
        weight = next(self.backbone.parameters())
        levels = self.backbone(self.preprocess(images).to(weight.dtype))
        levels = levels if self.neck is None else self.neck(levels)
        boxes, scores = self.roi_scores(levels, *self.proposals(levels, limit), limit)
        return (boxes, scores) if self.detections is None else self.detections(boxes, scores)

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
        self.backbone = model.backbone

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        weight = next(self.backbone.parameters())
        return tuple(map(Tensor.float, self.backbone(self.preprocess(images).to(weight.dtype))))

    def half_dense(self) -> None:
        self.backbone.half()


def _take(values: Tensor, index: Tensor) -> Tensor:
    """Rows (N, k, 4) of values (N, n, 4) at index (N, k)."""
    return values.gather(1, index.unsqueeze(-1).expand(-1, -1, 4))


def _apart(boxes: Tensor, groups: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Boxes (N, n, 4) of different groups (n,) moved apart, with mmcv's `batched_nms` arithmetic.

    Candidates are those with a score above or at the threshold; the rounding of far moved boxes
    matters where an IoU is close to NMS's threshold.
    """
    largest = boxes.amax(-1).where(scores > threshold, 0.0).amax(1)
    return boxes + (groups * (largest.unsqueeze(1) + 1)).unsqueeze(-1)


def _iou_threshold(cfg: Mapping, name: str) -> float:
    allowed = cfg.get('type', 'nms') == 'nms' and set(cfg) <= {'type', 'iou_threshold'}
    _require(allowed, name, "dict(type='nms', iou_threshold=...)", dict(cfg))
    return float(cfg['iou_threshold'])


def _require(holds: bool, name: str, allowed: object, given: object) -> None:
    if not holds:
        raise ValueError(f'{name}: the export knows {allowed}, the detector has {given}')

"""What stands before the RoI head in the exported graph: pre-processing and the RPN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from .graph_ops import nms_mask, pad_to_multiple, top
from .numpy_ops import MAX_RATIO

NMS = Callable[[Tensor, Tensor, int, float, float], Tensor]
"""What `nms_mask` is, or has its arguments and result."""

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
        channels = images.flip(1) if self.flip else images
        x = (channels.float() - self.mean) / self.std
        return pad_to_multiple(x, self.divisor, self.pad_value)


def levels_of(graph: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    """What backbone and neck of a graph give for images (N, 3, H, W) uint8, BGR."""
    weight = next(graph.backbone.parameters())
    levels = graph.backbone(graph.preprocess(images).to(weight.dtype))
    return levels if graph.neck is None else graph.neck(levels)


class BoxDecoder(nn.Module):
    """DeltaXYWHBBoxCoder on boxes and deltas of equal shape (..., 4), clipped to the image."""

    def __init__(self, coder) -> None:
        super().__init__()
        require(type(coder).__name__ == 'DeltaXYWHBBoxCoder' and coder.clip_border
                 and not coder.add_ctr_clamp, 'bbox_coder',
                 'DeltaXYWHBBoxCoder with clip_border and no add_ctr_clamp', coder)  # fmt: skip
        self.register_buffer('mean', torch.tensor(coder.means))
        self.register_buffer('std', torch.tensor(coder.stds))

    def forward(self, boxes: Tensor, deltas: Tensor, limit: Tensor) -> Tensor:
        """limit (4,): width, height, width, height of the image."""
        deltas = deltas * self.std + self.mean
        size = boxes[..., 2:] - boxes[..., :2]
        centre = (boxes[..., :2] + boxes[..., 2:]) * 0.5 + size * deltas[..., :2]
        half = size * deltas[..., 2:].clamp(-MAX_RATIO, MAX_RATIO).exp() * 0.5
        return torch.cat((centre - half, centre + half), -1).clamp(min=0).minimum(limit)


class Proposals(nn.Module):
    """The RPN's prediction: levels (N, C, H, W) give boxes (N, R, 4) and scores (N, R).

    R is max_per_img, or the number of anchors where that is smaller. Places without a proposal
    have score NO_PROPOSAL.
    """

    def __init__(self, head: nn.Module, nms: NMS = nms_mask) -> None:
        super().__init__()
        self.nms = nms
        require(head.use_sigmoid_cls, 'rpn_head.loss_cls.use_sigmoid', True, False)
        self.head, self.decode = head, BoxDecoder(head.bbox_coder)
        cfg = head.test_cfg
        self.pre, self.max_num = cfg.nms_pre, cfg.max_per_img
        self.iou_threshold = iou_threshold(cfg.nms, 'test_cfg.rpn.nms')
        self.min_size = cfg.get('min_bbox_size', -1)
        for name in ('nms_pre', 'max_per_img'):
            require(cfg[name] > 0, f'test_cfg.rpn.{name}', 'a positive number', cfg[name])
        for i, anchors in enumerate(head.prior_generator.base_anchors):
            self.register_buffer(f'anchors{i}', anchors.clone())

    def _level(self, level: int, logits: Tensor, deltas: Tensor, limit: Tensor):
        anchors, stride = getattr(self, f'anchors{level}'), self.head.prior_generator.strides[level]
        anchors = anchor_grid(anchors, stride, logits.shape[2], logits.shape[3])
        scores = logits.permute(0, 2, 3, 1).flatten(1).sigmoid()
        deltas = deltas.permute(0, 2, 3, 1).reshape(deltas.shape[0], -1, 4)
        scores, index = top(scores, self.pre)
        return self.decode(anchors[index], take(deltas, index), limit), scores

    def forward(self, levels: Sequence[Tensor], limit: Tensor) -> tuple[Tensor, Tensor]:
        outputs = zip(*(map(Tensor.float, part) for part in self.head(levels)), strict=True)
        found = [self._level(i, *output, limit) for i, output in enumerate(outputs)]
        boxes, scores = (torch.cat(part, 1) for part in zip(*found, strict=True))
        size = boxes[..., 2:] - boxes[..., :2]
        scores = scores.where((size > self.min_size).all(-1), NO_PROPOSAL)
        groups = [torch.full_like(s[0], float(i)) for i, (_, s) in enumerate(found)]
        moved = boxes if len(found) == 1 else apart(boxes, torch.cat(groups), scores, 0.0)
        kept = self.nms(moved, scores, self.max_num, self.iou_threshold, 0.0)
        scores = scores.where(kept, NO_PROPOSAL)
        scores, index = top(scores, self.max_num)
        return take(boxes, index), scores


def anchor_grid(anchors: Tensor, stride: Sequence[float], height: int, width: int) -> Tensor:
    """Anchors (H * W * A, 4) of a level in the order of a head's permuted outputs."""
    x = torch.arange(width, device=anchors.device) * float(stride[0])
    y = torch.arange(height, device=anchors.device) * float(stride[1])
    x, y = x.view(1, -1, 1), y.view(-1, 1, 1)
    sides = (x, y, x, y)
    columns = [anchors[:, i].view(1, 1, -1) + sides[i] for i in range(4)]
    columns = [(column + torch.zeros_like(x + y)).flatten() for column in columns]
    return torch.stack(columns, -1)


def image_limit(images: Tensor) -> Tensor:
    """Width, height, width, height (4,) of images (N, C, H, W): what boxes are clipped to."""
    height, width = images.shape[2], images.shape[3]
    sides = [torch.scalar_tensor(side, device=images.device) for side in (width, height)]
    return torch.stack(sides * 2)


def take(values: Tensor, index: Tensor, width: int = 4) -> Tensor:
    """Rows (N, k, width) of values (N, n, width) at index (N, k)."""
    return values.gather(1, index.unsqueeze(-1).expand(-1, -1, width))


def apart(boxes: Tensor, groups: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Boxes (N, n, 4) of different groups moved apart, with mmcv's `batched_nms` arithmetic.

    Groups are (n,), or (N, n) where they differ between images. Candidates are those with a score
    above the threshold; the rounding of far moved boxes matters where an IoU is close to NMS's
    threshold.
    """
    largest = boxes.amax(-1).where(scores > threshold, 0.0).amax(1)
    return boxes + (groups * (largest.unsqueeze(1) + 1)).unsqueeze(-1)


def iou_threshold(cfg: Mapping, name: str) -> float:
    """The threshold of a config's NMS; ValueError if it is no plain one."""
    allowed = cfg.get('type', 'nms') == 'nms' and set(cfg) <= {'type', 'iou_threshold'}
    require(allowed, name, "dict(type='nms', iou_threshold=...)", dict(cfg))
    return float(cfg['iou_threshold'])


def require(holds: bool, name: str, allowed: object, given: object) -> None:
    """Raise ValueError that names a setting that the graph cannot have."""
    if not holds:
        raise ValueError(f'{name}: the export knows {allowed}, the detector has {given}')

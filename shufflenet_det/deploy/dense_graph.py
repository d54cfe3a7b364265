"""A one-stage detector as one graph of tensors, for export."""

from __future__ import annotations

import torch
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor, nn

from .detector_graph import ClassNMS
from .graph_ops import top
from .graph_parts import BoxDecoder, Preprocess, anchor_grid, image_limit, levels_of, require, take


class Bins(nn.Module):
    """Boxes (N, K, 4) of GFL, whose sides are distributions of distances (arXiv 2006.04388)."""

    name = 'bins'

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.register_buffer('project', head.integral.project.detach().float().clone())
        self.strides = [float(stride[0]) for stride in head.prior_generator.strides]

    def forward(self, level: int, anchors: Tensor, values: Tensor, limit: Tensor) -> Tensor:
        steps = (values.unflatten(2, (4, -1)).softmax(-1) * self.project).sum(-1)
        return around(anchors, steps * self.strides[level], limit)

    def spec(self) -> dict:
        """What ``selection.Dense`` needs of it."""
        return dict(project=self.project.tolist())


class Distances(nn.Module):
    """Boxes (N, K, 4) of RTMDet, by the distances of their sides in px."""

    name = 'distances'

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        coder = head.bbox_coder
        holds = type(coder).__name__ == 'DistancePointBBoxCoder' and coder.clip_border
        require(holds, 'bbox_coder', 'DistancePointBBoxCoder with clip_border', coder)

    def forward(self, level: int, anchors: Tensor, values: Tensor, limit: Tensor) -> Tensor:
        return around(anchors, values, limit)

    def spec(self) -> dict:
        """What ``selection.Dense`` needs of it."""
        return {}


class Deltas(nn.Module):
    """Boxes (N, K, 4) of RetinaNet, as changes of anchors."""

    name = 'deltas'

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.decode = BoxDecoder(head.bbox_coder)

    def forward(self, level: int, anchors: Tensor, values: Tensor, limit: Tensor) -> Tensor:
        return self.decode(anchors, values, limit)

    def spec(self) -> dict:
        """What ``selection.Dense`` needs of it."""
        return dict(mean=self.decode.mean.tolist(), std=self.decode.std.tolist())


HEADS: dict[str, type[nn.Module]] = {
    'GFLHead': Bins,
    'GFLSepBNHead': Bins,
    'NanoDetHead': Bins,
    'NanoDetPlusHead': Bins,
    'RTMDetHead': Distances,
    'RTMDetSepBNHead': Distances,
    'RetinaHead': Deltas,
    'RetinaSepBNHead': Deltas,
}
"""Dense head -> how its boxes are read."""


def around(anchors: Tensor, steps: Tensor, limit: Tensor) -> Tensor:
    """Boxes whose sides lie so far (N, K, 4) from the centres of anchors (N, K, 4)."""
    centre = (anchors[..., :2] + anchors[..., 2:]) * 0.5
    boxes = torch.cat((centre - steps[..., :2], centre + steps[..., 2:]), -1)
    return boxes.clamp(min=0).minimum(limit)


def head_anchors(head: nn.Module) -> list[Tensor]:
    """Of each level the anchors (A, 4) at its first cell; points are anchors without a size."""
    points = head.prior_generator
    if hasattr(points, 'base_anchors'):
        return list(points.base_anchors)
    offsets = [torch.tensor([*stride, *stride]) * float(points.offset) for stride in points.strides]
    return [offset.float().unsqueeze(0) for offset in offsets]


class Candidates(nn.Module):
    """A dense head's prediction before its NMS.

    Levels (N, C, H, W) give boxes (N, K, 4), scores (N, K) and labels (N, K): of each level the
    best nms_pre pairs of anchor and class.
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        kind = type(head).__name__
        require(kind in HEADS, 'bbox_head', list(HEADS), kind)
        self.head, cfg = head, head.test_cfg
        self.pre, self.min_size = cfg.get('nms_pre', -1), float(cfg.get('min_bbox_size', -1))
        require(self.pre > 0, 'test_cfg.nms_pre', 'a positive number', self.pre)
        require(self.min_size <= 0, 'test_cfg.min_bbox_size', 'at most 0', self.min_size)
        require(head.use_sigmoid_cls, 'bbox_head.loss_cls.use_sigmoid', True, False)
        self.boxes = HEADS[kind](head)
        self.strides = [tuple(map(float, stride)) for stride in head.prior_generator.strides]
        for i, anchors in enumerate(head_anchors(head)):
            self.register_buffer(f'anchors{i}', anchors.clone())

    def _level(self, level: int, logits: Tensor, values: Tensor, limit: Tensor) -> tuple:
        anchors = getattr(self, f'anchors{level}')
        classes = logits.shape[1] // len(anchors)
        grid = anchor_grid(anchors, self.strides[level], logits.shape[2], logits.shape[3])
        scores, index = top(logits.permute(0, 2, 3, 1).flatten(1).sigmoid(), self.pre)
        place = index.div(classes, rounding_mode='trunc')
        width = values.shape[1] // len(anchors)
        values = values.permute(0, 2, 3, 1).reshape(values.shape[0], -1, width)
        boxes = self.boxes(level, grid[place], take(values, place, width), limit)
        if self.min_size >= 0:
            scores = scores * ((boxes[..., 2:] - boxes[..., :2]) > self.min_size).all(-1)
        return boxes, scores, index - place * classes

    def forward(self, levels: tuple[Tensor, ...], limit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs = zip(*(map(Tensor.float, maps) for maps in self.head(levels)), strict=True)
        found = [self._level(i, *maps, limit) for i, maps in enumerate(outputs)]
        return tuple(torch.cat(part, 1) for part in zip(*found, strict=True))


class DenseGraph(nn.Module):
    """Images (N, 3, H, W) uint8, BGR, to boxes (N, K, 4), scores (N, K) and labels (N, K).

    Boxes are x1, y1, x2, y2 in pixels of the input; see `ClassNMS`. Equals the detector's own
    prediction without rescaling.

    Args:
        model: A one-stage detector of MMDetection in its deploy form, with one of HEADS.

    Raises:
        ValueError: If the detector has a part that the graph does not know.
    """

    def __init__(self, model: SingleStageDetector) -> None:
        super().__init__()
        self.preprocess = Preprocess(model.data_preprocessor)
        self.backbone, self.neck = model.backbone, model.neck if model.with_neck else None
        self.candidates = Candidates(model.bbox_head)
        self.class_nms = ClassNMS(model.bbox_head.test_cfg, 'test_cfg')

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = self.candidates(levels_of(self, images), image_limit(images))
        return self.class_nms.select(*found)

    def half_dense(self) -> None:
        """Convolutions in half precision, boxes stay single."""
        for module in (self.backbone, self.neck, self.candidates.head):
            if module is not None:
                module.half()

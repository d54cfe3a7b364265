"""A NanoDet or NanoDet-Plus as one graph of tensors, for export."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .detector_graph import ClassNMS
from .graph_ops import top
from .graph_parts import Preprocess, image_limit, require


class Candidates(nn.Module):
    """GFLHead's prediction before its NMS.

    Levels (N, C, H, W) give boxes (N, K, 4), scores (N, K) and labels (N, K): of each level the
    best nms_pre pairs of point and class.
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head, self.pre = head, head.test_cfg.get('nms_pre', -1)
        require(self.pre > 0, 'test_cfg.nms_pre', 'a positive number', self.pre)
        require(head.use_sigmoid_cls, 'bbox_head.loss_cls.use_sigmoid', True, False)
        points = head.prior_generator
        self.offset = getattr(points, 'center_offset', None)
        self.offset = points.offset if self.offset is None else self.offset

    def _grid(self, height: int, width: int) -> Tensor:
        """Points (H * W, 2) as x, y in cells."""
        weight = self.head.integral.project
        x, y = (torch.arange(n, device=weight.device) + self.offset for n in (width, height))
        y, x = torch.meshgrid(y, x, indexing='ij')
        return torch.stack((x, y), -1).flatten(0, 1)

    def _level(self, level: int, logits: Tensor, bins: Tensor, limit: Tensor) -> tuple:
        classes = logits.shape[1]
        scores = logits.permute(0, 2, 3, 1).flatten(1).sigmoid()
        scores, index = top(scores, self.pre)
        point = index.div(classes, rounding_mode='trunc')
        labels = index - point * classes
        bins = bins.flatten(2).transpose(1, 2)
        bins = bins.gather(1, point.unsqueeze(-1).expand(-1, -1, bins.shape[2]))
        steps = bins.unflatten(2, (4, -1)).softmax(-1) * self.head.integral.project.float()
        steps = steps.sum(-1)
        place = self._grid(logits.shape[2], logits.shape[3])[point]
        boxes = torch.cat((place - steps[..., :2], place + steps[..., 2:]), -1)
        boxes = boxes * float(self.head.prior_generator.strides[level][0])
        return boxes.clamp(min=0).minimum(limit), scores, labels

    def forward(self, levels: tuple[Tensor, ...], limit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs = zip(*(map(Tensor.float, maps) for maps in self.head(levels)), strict=True)
        found = [self._level(i, *maps, limit) for i, maps in enumerate(outputs)]
        return tuple(torch.cat(part, 1) for part in zip(*found, strict=True))


class NanoDetGraph(nn.Module):
    """Images (N, 3, H, W) uint8, BGR, to boxes (N, K, 4), scores (N, K) and labels (N, K).

    Boxes are x1, y1, x2, y2 in pixels of the input; see `ClassNMS`. Equals the detector's own
    prediction without rescaling.

    Args:
        model: A NanoDet in its deploy form.

    Raises:
        ValueError: If the detector has a part that the graph does not know.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.preprocess = Preprocess(model.data_preprocessor)
        self.backbone, self.neck = model.backbone, model.neck
        self.candidates = Candidates(model.bbox_head)
        self.class_nms = ClassNMS(model.bbox_head.test_cfg, 'test_cfg')

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        limit = image_limit(images)
        weight = next(self.backbone.parameters())
        levels = self.neck(self.backbone(self.preprocess(images).to(weight.dtype)))
        return self.class_nms.select(*self.candidates(levels, limit))

    def half_dense(self) -> None:
        """Convolutions in half precision, boxes stay single."""
        for module in (self.backbone, self.neck, self.candidates.head):
            module.half()

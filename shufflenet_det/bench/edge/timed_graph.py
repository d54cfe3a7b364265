"""YOLOX and SSD, whose heads `deploy.dense_graph` does not export, as one graph to be timed."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import nms

from shufflenet_det.deploy.graph_parts import Preprocess

CANDIDATES = 1000
"""Points at most that reach suppression, each with its best class."""
MOST = 100
"""Boxes of an image where the config does not say; YOLOX's does not."""


def _flat(maps: Sequence[Tensor], width: int) -> Tensor:
    """Maps (1, A * width, H, W) of all levels as rows (n, width)."""
    return torch.cat([level.permute(0, 2, 3, 1).reshape(-1, width) for level in maps])


def _priors(head: nn.Module, maps: Sequence[Tensor], **kwargs: bool) -> Tensor:
    sizes = [tuple(level.shape[-2:]) for level in maps]
    return torch.cat(head.prior_generator.grid_priors(sizes, device='cpu', **kwargs))


def _yolox(head: nn.Module, classes: list, boxes: list, objects: list) -> tuple[Tensor, Tensor]:
    scores = _flat(classes, head.num_classes).sigmoid() * _flat(objects, 1).sigmoid()
    return head._bbox_decode(_priors(head, classes, with_stride=True), _flat(boxes, 4)), scores


def _ssd(head: nn.Module, classes: list, boxes: list) -> tuple[Tensor, Tensor]:
    scores = _flat(classes, head.num_classes + 1).softmax(-1)[:, :-1]
    return head.bbox_coder.decode(_priors(head, classes), _flat(boxes, 4)), scores


DECODERS: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {
    'YOLOXHead': _yolox,
    'SSDHead': _ssd,
}
"""Type of the head -> function(head, *its outputs) -> boxes (n, 4) and scores (n, classes)."""


class TimedGraph(nn.Module):
    """An image (1, 3, H, W) uint8, BGR, to boxes (k, 4), scores and labels (k,).

    Suppression is plainer than mmdet's: each point keeps its best class only.

    Args:
        model: A one-stage detector of mmdet in eval mode.

    Raises:
        ValueError: If its head is not known.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        head = type(model.bbox_head).__name__
        if head not in DECODERS:
            raise ValueError(f'a {head} is not known here; allowed: {list(DECODERS)}')
        preprocess = Preprocess(model.data_preprocessor)  # whose padding these sizes do not need
        self.flip, self.mean, self.std = preprocess.flip, preprocess.mean, preprocess.std
        self.backbone, self.neck, self.bbox_head = model.backbone, model.neck, model.bbox_head
        self.decode, cfg = DECODERS[head], model.test_cfg
        self.score, self.iou, self.most = (
            cfg.score_thr,
            cfg.nms.iou_threshold,
            cfg.get('max_per_img', MOST),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pixels = images.flip(1) if self.flip else images
        levels = self.neck(self.backbone((pixels.float() - self.mean) / self.std))
        boxes, scores = self.decode(self.bbox_head, *self.bbox_head(levels))
        scores, labels = scores.max(1)
        scores, index = scores.topk(min(CANDIDATES, scores.shape[0]))
        sure = scores > self.score
        boxes, scores, labels = boxes[index][sure], scores[sure], labels[index][sure]
        apart = boxes + (labels.to(boxes) * 1e4).unsqueeze(1)
        kept = nms(apart, scores, self.iou)[: self.most]
        return boxes[kept], scores[kept], labels[kept]


@torch.no_grad()
def timed_onnx(model: nn.Module, size: int) -> bytes:
    """The ONNX form of a one-stage detector of mmdet for images of size x size."""
    file, image = io.BytesIO(), torch.zeros(1, 3, size, size, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the tracer warns of every size that it makes constant
        torch.onnx.export(
            TimedGraph(model), (image,), file, dynamo=False, input_names=['images'],
            opset_version=18,
        )  # fmt: skip
    return file.getvalue()

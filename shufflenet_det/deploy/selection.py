"""Between and behind the graphs of a runtime without NMS and RoI align: boxes, in numpy.

What it needs to know of a detector travels in the file as a plain dict, see `writers/split.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy import ndarray

from .model_info import ModelInfo
from .numpy_ops import apart, decode, nms, ps_roi_align, sigmoid, softmax, top
from .stream import Detections

Graph = Callable[[ndarray], Sequence[ndarray]]
"""Gives the outputs of one input, all with a first axis of images or RoIs."""


class TwoStage:
    """Light-Head R-CNN: maps of the trunk to RoIs, and what the head says of them to detections."""

    def __init__(self, spec: Mapping, head: Graph) -> None:
        self.rpn, self.roi, self.box, self.head = spec['rpn'], spec['roi'], spec['box'], head
        self.anchors = [np.float32(level) for level in self.rpn['anchors']]

    def __call__(self, maps: Sequence[ndarray], limit: ndarray) -> Detections:
        levels = len(self.anchors)
        boxes = self.proposals(maps[:levels], maps[levels : 2 * levels], limit)
        if not len(boxes):
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
        logits, deltas = self.head(self.pooled(maps[2 * levels :], boxes))
        scores = softmax(logits)[:, :-1]
        deltas = deltas.reshape(len(boxes), -1, 4)
        boxes = decode(boxes[:, None], deltas, self.box['mean'], self.box['std'], limit)
        boxes = np.broadcast_to(boxes, (*scores.shape, 4)).reshape(-1, 4)
        labels = np.arange(scores.size) % scores.shape[1]
        return class_nms(boxes, scores.reshape(-1), labels, self.box)

    def proposals(
        self, logits: Sequence[ndarray], deltas: Sequence[ndarray], limit: ndarray
    ) -> ndarray:
        """RoIs (R, 4) by falling score."""
        found = [
            self._level(i, *maps, limit) for i, maps in enumerate(zip(logits, deltas, strict=True))
        ]
        boxes, scores, groups = (np.concatenate(part) for part in zip(*found, strict=True))
        large = ((boxes[:, 2:] - boxes[:, :2]) > self.rpn['min_size']).all(1) & (scores > 0)
        boxes, scores, groups = boxes[large], scores[large], groups[large]
        moved = boxes if len(found) == 1 else apart(boxes, groups)
        return boxes[nms(moved, scores, self.rpn['iou'], self.rpn['max'])]

    def _level(self, level: int, logits: ndarray, deltas: ndarray, limit: ndarray) -> tuple:
        height, width = logits.shape[1:]
        step_x, step_y = self.rpn['strides'][level]
        scores = logits.transpose(1, 2, 0).reshape(-1)
        best = top(scores, self.rpn['pre'])
        place, kind = np.divmod(best, len(self.anchors[level]))
        x, y = place % width * np.float32(step_x), place // width * np.float32(step_y)
        anchors = self.anchors[level][kind] + np.stack((x, y, x, y), -1).astype(np.float32)
        deltas = deltas.transpose(1, 2, 0).reshape(-1, 4)[best]
        boxes = decode(anchors, deltas, self.rpn['mean'], self.rpn['std'], limit)
        return boxes, sigmoid(scores[best]), np.full(len(best), level)

    def pooled(self, maps: Sequence[ndarray], boxes: ndarray) -> ndarray:
        """Features (R, C, bins, bins) of RoIs, each from the level of its size."""
        roi, count = self.roi, len(maps)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        level = np.floor(np.log2(np.sqrt(area) / np.float32(roi['finest']) + np.float32(1e-6)))
        level = level.clip(0, count - 1).astype(np.int64)
        channels = len(maps[0]) // roi['bins'] ** 2
        found = np.zeros((len(boxes), channels, roi['bins'], roi['bins']), np.float32)
        for i, one in enumerate(maps):
            members = level == i
            found[members] = ps_roi_align(
                one, boxes[members], roi['bins'], roi['scales'][i], roi['samples'], roi['mode']
            )
        return found


class Dense:
    """NanoDet: logits and bins of each level to detections."""

    def __init__(self, spec: Mapping, head: Graph | None = None) -> None:
        self.dense, self.box = spec['dense'], spec['box']
        self.project = np.float32(self.dense['project'])

    def __call__(self, maps: Sequence[ndarray], limit: ndarray) -> Detections:
        levels = len(self.dense['strides'])
        pairs = enumerate(zip(maps[:levels], maps[levels:], strict=True))
        found = [self._level(i, *pair, limit) for i, pair in pairs]
        return class_nms(*(np.concatenate(part) for part in zip(*found, strict=True)), self.box)

    def _level(self, level: int, logits: ndarray, bins: ndarray, limit: ndarray) -> tuple:
        classes, _, width = logits.shape
        scores = logits.transpose(1, 2, 0).reshape(-1)
        best = top(scores, self.dense['pre'])
        point, labels = np.divmod(best, classes)
        steps = softmax(bins.reshape(len(bins), -1).T[point].reshape(len(best), 4, -1))
        steps = (steps * self.project).sum(-1)
        place = np.stack((point % width, point // width), -1) + np.float32(self.dense['offset'])
        boxes = np.concatenate((place - steps[:, :2], place + steps[:, 2:]), -1)
        boxes = (boxes * self.dense['strides'][level]).astype(np.float32)
        return boxes.clip(0, limit), sigmoid(scores[best]), labels


def class_nms(boxes: ndarray, scores: ndarray, labels: ndarray, spec: Mapping) -> Detections:
    """NMS in each class of candidates (n, 4), (n,) and (n,)."""
    sure = scores > spec['score']
    boxes, scores, labels = boxes[sure], scores[sure], labels[sure]
    kept = nms(apart(boxes, labels), scores, spec['iou'], spec['max'])
    return boxes[kept], scores[kept], labels[kept]


KINDS = dict(rpn=TwoStage, dense=Dense)
"""What a spec holds -> what it describes."""


class SplitDetector:
    """Graphs of a runtime with the selection between them, as one engine.

    Args:
        trunk: Normalised images (1, 3, H, W), BGR, to maps (1, C, H', W').
        head: Pooled RoIs (R, C, bins, bins) to logits and deltas; None where there is none.
        spec: Of the file.
        info: Of the file.
    """

    def __init__(self, trunk: Graph, head: Graph | None, spec: Mapping, info: ModelInfo) -> None:
        (kind,) = (KINDS[name] for name in KINDS if name in spec)
        self.trunk, self.select = trunk, kind(spec, head)
        self.most, self.divisor = spec['box']['max'], info.normalisation['pad_size_divisor']
        step = -1 if info.normalisation['bgr_to_rgb'] else 1
        mean, std = (info.normalisation[name][::step] for name in ('mean', 'std'))
        self.mean, self.std = (np.float32(value).reshape(3, 1, 1) for value in (mean, std))

    def __call__(self, images: ndarray) -> list[ndarray]:
        found = [self._one(image) for image in images]
        return [np.stack(part) for part in zip(*found, strict=True)]

    def _one(self, image: ndarray) -> Detections:
        """Boxes (K, 4), scores (K,) and labels (K,), -1 behind the last."""
        _, height, width = image.shape
        size = [-(-side // self.divisor) * self.divisor for side in (height, width)]
        padded = np.zeros((1, 3, *size), np.float32)
        padded[0, :, :height, :width] = (image - self.mean) / self.std
        maps = [values[0] for values in self.trunk(padded)]
        boxes, scores, labels = self.select(maps, np.float32([width, height] * 2))
        rest = (0, self.most - len(scores))
        return np.pad(boxes, (rest, (0, 0))), np.pad(scores, rest), np.pad(
            labels, rest, constant_values=-1
        )  # fmt: skip

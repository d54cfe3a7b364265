"""Between and behind the graphs of a runtime without NMS and RoI align: boxes, in numpy.

What it needs to know of a detector travels in the file as a plain dict, see `writers/split.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy import ndarray

from .archive import Archive
from .formats import ForeignFile
from .model_info import ModelInfo
from .numpy_ops import apart, decode, nms, ps_roi_align, sigmoid, softmax, top
from .selection_spec import output_names
from .stream import Detections

Graph = Callable[[ndarray], Sequence[ndarray]]
"""Gives the outputs of one input, all with a first axis of images or RoIs."""


class TwoStage:
    """Light-Head R-CNN: maps of the trunk to RoIs, and what the head says of them to detections."""

    def __init__(self, spec: Mapping, classes: int, head: Graph) -> None:
        self.rpn, self.roi, self.box, self.head = spec['rpn'], spec['roi'], spec['box'], head
        self.anchors, self.classes = [np.float32(level) for level in self.rpn['anchors']], classes

    def __call__(self, maps: Sequence[ndarray], limit: ndarray) -> Detections:
        levels = len(self.anchors)
        require_channels('trunk', maps, self._channels(maps))
        boxes = self.proposals(maps[:levels], maps[levels : 2 * levels], limit)
        if not len(boxes):
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
        logits, deltas = found = self.head(self.pooled(maps[2 * levels :], boxes))
        per_box = 4 * self.classes if deltas.shape[1] > 4 else 4
        require_channels('head', [part.T for part in found], [self.classes + 1, per_box])
        scores = softmax(logits)[:, :-1]
        deltas = deltas.reshape(len(boxes), -1, 4)
        boxes = decode(boxes[:, None], deltas, self.box['mean'], self.box['std'], limit)
        boxes = np.broadcast_to(boxes, (*scores.shape, 4)).reshape(-1, 4)
        labels = np.arange(scores.size) % scores.shape[1]
        return class_nms(boxes, scores.reshape(-1), labels, self.box)

    def _channels(self, maps: Sequence[ndarray]) -> list[int]:
        """Of each map; a thin map has any multiple of the bins."""
        anchors, bins = [len(level) for level in self.anchors], self.roi['bins'] ** 2
        thin = maps[2 * len(anchors) :][: len(self.roi['scales'])]
        thin = [max(1, len(one) // bins) * bins for one in thin]
        thin += [bins] * (len(self.roi['scales']) - len(thin))
        return [*anchors, *(4 * count for count in anchors), *thin]

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
        scores = logits.transpose(1, 2, 0).reshape(-1)
        best = top(scores, self.rpn['pre'])
        anchors = anchors_at(self.anchors[level], best, logits.shape[2], self.rpn['strides'][level])
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
    """A one-stage detector: logits and boxes of each level to detections."""

    def __init__(self, spec: Mapping, classes: int, head: None = None) -> None:
        self.dense, self.box = spec['dense'], spec['box']
        self.anchors, self.classes = [np.float32(level) for level in self.dense['anchors']], classes

    def __call__(self, maps: Sequence[ndarray], limit: ndarray) -> Detections:
        levels = len(self.anchors)
        widths = self.classes, 4 * len(self.dense.get('project', [0]))
        expected = [width * len(level) for width in widths for level in self.anchors]
        require_channels('trunk', maps, expected)
        pairs = enumerate(zip(maps[:levels], maps[levels:], strict=True))
        found = [self._level(i, *pair, limit) for i, pair in pairs]
        return class_nms(*(np.concatenate(part) for part in zip(*found, strict=True)), self.box)

    def _level(self, level: int, logits: ndarray, values: ndarray, limit: ndarray) -> tuple:
        anchors, stride = self.anchors[level], self.dense['strides'][level]
        scores = logits.transpose(1, 2, 0).reshape(-1)
        best = top(scores, self.dense['pre'])
        place, labels = np.divmod(best, len(logits) // len(anchors))
        values = values.transpose(1, 2, 0).reshape(-1, len(values) // len(anchors))[place]
        anchors = anchors_at(anchors, place, logits.shape[2], stride)
        boxes = self._boxes(anchors, values, stride, limit).astype(np.float32)
        scores = sigmoid(scores[best])
        if self.dense['min_size'] >= 0:
            scores *= ((boxes[:, 2:] - boxes[:, :2]) > self.dense['min_size']).all(1)
        return boxes, scores, labels

    def _boxes(self, anchors: ndarray, values: ndarray, stride: list, limit: ndarray) -> ndarray:
        """Of anchors (K, 4) and what the head says of them (K, width)."""
        if self.dense['boxes'] == 'deltas':
            return decode(anchors, values, self.dense['mean'], self.dense['std'], limit)
        if self.dense['boxes'] == 'bins':
            shares = softmax(values.reshape(len(values), 4, -1))
            values = (shares * np.float32(self.dense['project'])).sum(-1) * np.float32(stride[0])
        centre = (anchors[:, :2] + anchors[:, 2:]) * np.float32(0.5)
        return np.concatenate((centre - values[:, :2], centre + values[:, 2:]), -1).clip(0, limit)


def require_channels(name: str, maps: Sequence[ndarray], expected: Sequence[int]) -> None:
    """Refuse outputs of a graph that is not the one that the selection was made for.

    Raises:
        ValueError: If channels, the first axis of maps, differ, or a value is not finite.
    """
    found = [len(one) for one in maps]
    if found != list(expected):
        raise ForeignFile(f'the {name} gave {found} channels, its selection needs {list(expected)}')
    if not all(np.isfinite(one.sum()) for one in maps):
        raise ValueError(f'the {name} gave values that are not finite; check its weights')


def anchors_at(anchors: ndarray, places: ndarray, width: int, stride: Sequence) -> ndarray:
    """Anchors (K, 4) at places (K,) of a level whose cells have the anchors (A, 4)."""
    cell, kind = np.divmod(places, len(anchors))
    x, y = cell % width * np.float32(stride[0]), cell // width * np.float32(stride[1])
    return anchors[kind] + np.stack((x, y, x, y), -1).astype(np.float32)


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
        least: Side of the trunk's input, px.
    """

    def __init__(
        self, trunk: Graph, head: Graph | None, spec: Mapping, info: ModelInfo, least: int = 0
    ) -> None:
        (kind,) = (KINDS[name] for name in KINDS if name in spec)
        self.trunk, self.select = trunk, kind(spec, len(info.classes), head)
        self.canvas, self.largest = spec.get('canvas'), spec.get('canvas') or spec.get('largest')
        self.most, self.divisor = spec['box']['max'], info.normalisation['pad_size_divisor']
        self.least = least
        step = -1 if info.normalisation['bgr_to_rgb'] else 1
        mean, std = (info.normalisation[name][::step] for name in ('mean', 'std'))
        self.mean, self.std = (np.float32(value).reshape(3, 1, 1) for value in (mean, std))

    @classmethod
    def of(
        cls, archive: Archive, load: Callable[[str, list[str]], Graph], least: int = 0
    ) -> SplitDetector:
        """Of an archive.

        Args:
            archive: What the file holds.
            load: Makes a graph of its name, ``trunk`` or ``head``, and the names of its outputs.
            least: As of the class.
        """
        spec = archive.selection
        trunk, head = (
            load(name, output_names(spec, name)) if name == 'trunk' or 'rpn' in spec else None
            for name in ('trunk', 'head')
        )
        return cls(trunk, head, spec, ModelInfo.from_json(archive.info), least)

    def __call__(self, images: ndarray) -> list[ndarray]:
        found = [self._one(image) for image in images]
        return [np.stack(part) for part in zip(*found, strict=True)]

    def _one(self, image: ndarray) -> Detections:
        """Boxes (K, 4), scores (K,) and labels (K,), -1 behind the last."""
        _, height, width = image.shape
        padded = np.zeros((1, 3, *self._padded(height, width)), np.float32)
        padded[0, :, :height, :width] = (image - self.mean) / self.std
        maps = [values[0] for values in self.trunk(padded)]
        boxes, scores, labels = self.select(maps, np.float32([width, height] * 2))
        rest = (0, self.most - len(scores))
        return np.pad(boxes, (rest, (0, 0))), np.pad(scores, rest), np.pad(
            labels, rest, constant_values=-1
        )  # fmt: skip

    def _padded(self, height: int, width: int) -> Sequence[int]:
        """Height and width that the trunk takes."""
        if self.largest and (height > self.largest[0] or width > self.largest[1]):
            raise ValueError(
                f'the file takes images of up to {self.largest[1]}x{self.largest[0]} px, '
                f'{width}x{height} are given: export it with a larger scale in the test pipeline'
            )
        return self.canvas or [
            -(-max(side, self.least) // self.divisor) * self.divisor for side in (height, width)
        ]

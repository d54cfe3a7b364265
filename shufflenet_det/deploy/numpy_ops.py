"""What runtimes without NMS and RoI align leave to numpy; values as torchvision's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy import ndarray

MAX_RATIO = abs(float(np.log(16 / 1000)))
"""Of the deltas of width and height, as in mmdet."""


def softmax(logits: ndarray) -> ndarray:
    """Over the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def sigmoid(logits: ndarray) -> ndarray:
    """Scores between 0 and 1, of the same shape, in single precision."""
    return np.float32(1) / (np.float32(1) + np.exp(-np.clip(logits, -88, None)))


def top(scores: ndarray, count: int) -> ndarray:
    """Indices of the largest of scores (n,) in falling order; of equal ones the first is first."""
    return np.argsort(-scores, kind='stable')[:count]


def decode(boxes: ndarray, deltas: ndarray, mean: list, std: list, limit: ndarray) -> ndarray:
    """DeltaXYWHBBoxCoder on boxes (..., 4), clipped to 0 and limit (4,)."""
    deltas = deltas * np.float32(std) + np.float32(mean)
    size = boxes[..., 2:] - boxes[..., :2]
    centre = (boxes[..., :2] + boxes[..., 2:]) * np.float32(0.5) + size * deltas[..., :2]
    half = size * np.exp(deltas[..., 2:].clip(-MAX_RATIO, MAX_RATIO)) * np.float32(0.5)
    return np.concatenate((centre - half, centre + half), -1).clip(0, limit)


def nms(boxes: ndarray, scores: ndarray, iou_threshold: float, count: int) -> ndarray:
    """Indices of the first ``count`` boxes (n, 4) that greedy NMS keeps, by falling score."""
    order = np.argsort(-scores, kind='stable')
    x1, y1, x2, y2 = boxes[order].T
    area = (x2 - x1) * (y2 - y1)
    left, kept = np.arange(len(order)), []
    while len(left) and len(kept) < count:
        first, left = left[0], left[1:]
        kept.append(first)
        width = np.minimum(x2[first], x2[left]) - np.maximum(x1[first], x1[left])
        height = np.minimum(y2[first], y2[left]) - np.maximum(y1[first], y1[left])
        shared = width.clip(0) * height.clip(0)
        # without a division, which is 0 / 0 for two empty boxes
        left = left[shared <= np.float32(iou_threshold) * (area[first] + area[left] - shared)]
    return order[kept]


def apart(boxes: ndarray, groups: ndarray) -> ndarray:
    """Boxes (n, 4) of different groups (n,) moved apart, with mmcv's `batched_nms` arithmetic."""
    largest = boxes.max(initial=0)
    return boxes + (groups * (largest + 1)).astype(np.float32)[:, None]


def _axis_taps(
    start: ndarray, end: ndarray, size: int, bins: int, samples: int
) -> tuple[ndarray, ndarray]:
    """Pixels and bilinear weights along one axis, each (K, bins, samples, 2)."""
    step = ((end - start) / np.float32(bins))[:, None, None]
    centre = (np.arange(samples, dtype=np.float32) + np.float32(0.5)) / np.float32(samples)
    position = start[:, None, None] + (np.arange(bins, dtype=np.float32)[:, None] + centre) * step
    inside = (position >= -1) & (position <= size)
    position = position.clip(0, size - 1)
    low = np.floor(position)
    upper = position - low
    low = low.astype(np.int64)
    pixels = np.stack((low, np.minimum(low + 1, size - 1)), -1)
    return pixels, np.stack((1 - upper, upper), -1) * inside[..., None]


def ps_roi_align(
    level: ndarray, boxes: ndarray, bins: int, scale: float, samples: int, mode: str
) -> ndarray:
    """PSRoIAlign of a map (C * bins^2, H, W) at boxes (K, 4): (K, C, bins, bins)."""
    height, width = level.shape[1:]
    table = level.reshape(-1, bins * bins, height, width).transpose(1, 2, 3, 0)
    table = np.ascontiguousarray(table).reshape(-1, table.shape[3])
    corners = boxes * np.float32(scale) - np.float32(0.5 if mode == 'avg' else 0)
    y, y_weight = _axis_taps(corners[:, 1], corners[:, 3], height, bins, samples)
    x, x_weight = _axis_taps(corners[:, 0], corners[:, 2], width, bins, samples)
    own = np.arange(bins * bins).reshape(bins, bins) * (height * width)
    sampled = _samples(table, (y, y_weight), (x, x_weight), own, width)
    pooled = sum(sampled) / np.float32(samples**2) if mode == 'avg' else np.max([*sampled], 0)
    return pooled.transpose(0, 3, 1, 2)


def _samples(table: ndarray, y_taps: tuple, x_taps: tuple, own: ndarray, width: int) -> Iterator:
    """Values (K, bins, bins, C) of each sampling point."""
    (y, y_weight), (x, x_weight) = y_taps, x_taps
    for row in range(y.shape[2]):
        for column in range(x.shape[2]):
            value = 0
            for i in range(2):
                for j in range(2):
                    place = y[:, :, None, row, i] * width + x[:, None, :, column, j]
                    weight = y_weight[:, :, None, row, i] * x_weight[:, None, :, column, j]
                    value = value + table[place + own] * weight[..., None]
            yield value

"""Detections: which are defined, and in COCO's format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray


def coco_results(
    image_id: int,
    boxes: ndarray,
    scores: ndarray,
    labels: ndarray,
    category_ids: Sequence[int | None],
) -> list[dict]:
    """COCO results of one image: bbox is x, y, width, height in px.

    Args:
        boxes: (K, 4) x1, y1, x2, y2 in px.
        scores, labels: (K,); a label is an index into category_ids.
        category_ids: Of each class; detections of a class without category (None) are left out.
    """
    found = zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True)
    return [
        dict(
            image_id=image_id,
            category_id=category_ids[label],
            bbox=[x1, y1, x2 - x1, y2 - y1],
            score=score,
        )
        for (x1, y1, x2, y2), score, label in found
        if category_ids[label] is not None
    ]


def check_predictions(
    image_id: object, boxes: ndarray, scores: ndarray, labels: ndarray, num_classes: int
) -> None:
    """Refuse predictions of an image that no metric defines.

    pycocotools scores a NaN box as a hit, since ``iou < threshold`` is false for NaN.

    Args:
        boxes: (K, 4) x1, y1, x2, y2 in pixels.
        scores: (K,).
        labels: (K,), an index of a class.

    Raises:
        ValueError: Naming the image, the prediction and its value.
    """
    faults = {
        'box is not finite': ~np.isfinite(boxes).all(1),
        'box has a negative size': (boxes[:, 2:] < boxes[:, :2]).any(1),
        'score is not finite': ~np.isfinite(scores),
        f'label is not in 0 to {num_classes - 1}': ~((labels >= 0) & (labels < num_classes)),
    }
    for fault, bad in faults.items():
        if bad.any():
            first = int(bad.argmax())
            raise ValueError(
                f'image {image_id}: {int(bad.sum())} of {len(bad)} predictions rejected, {fault}; '
                f'the first is prediction {first}: box {boxes[first].tolist()}, score '
                f'{float(scores[first])}, label {int(labels[first])}. The model has diverged, or '
                'its classes are not those of the data'
            )

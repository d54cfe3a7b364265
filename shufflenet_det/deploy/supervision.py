"""Detections to and from `supervision.Detections`, for its annotators, trackers and zones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

if TYPE_CHECKING:
    import supervision


def to_supervision(
    detections: tuple[ndarray, ndarray, ndarray], classes: Sequence[str]
) -> supervision.Detections:
    """`supervision.Detections` with the class names in ``data['class_name']``.

    Args:
        detections: Boxes (K, 4) x1, y1, x2, y2 in px, scores (K,) and labels (K,).
        classes: Names by label.

    Raises:
        ImportError: If supervision is not installed.
    """
    try:
        from supervision import Detections
    except ImportError as error:
        raise ImportError(
            "supervision is not installed: pip install 'shufflenet_det[supervision]'"
        ) from error
    boxes, scores, labels = detections
    names = np.array([classes[label] for label in labels], dtype=str)
    return Detections(
        xyxy=boxes.astype(np.float32).reshape(-1, 4), confidence=scores.astype(np.float32),
        class_id=labels.astype(int), data=dict(class_name=names),
    )  # fmt: skip


def from_supervision(detections: supervision.Detections) -> tuple[ndarray, ndarray, ndarray]:
    """Boxes (K, 4) x1, y1, x2, y2 in px, scores (K,) and labels (K,); tracker ids are left out.

    Raises:
        ValueError: If the detections have no scores or no labels.
    """
    for name in ('confidence', 'class_id'):
        if getattr(detections, name) is None and len(detections):
            raise ValueError(f'the detections have no {name}, which our detections need')
    empty = np.zeros(0)
    scores = empty if detections.confidence is None else detections.confidence
    labels = empty if detections.class_id is None else detections.class_id
    return detections.xyxy.astype(np.float32), scores.astype(np.float32), labels.astype(np.int64)

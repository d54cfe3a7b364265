"""Detections in COCO's format."""

from __future__ import annotations

from collections.abc import Sequence

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

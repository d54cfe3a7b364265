"""Numbers of each class: confusion and average precision."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import numpy as np

from .records import Records

COCO_IOUS = np.linspace(0.5, 0.95, 10)


def confusion_matrix(records: Records, iou_thr: float = 0.5) -> np.ndarray:
    """Counts (C + 1, C + 1): row the class of the object, column that of the detection.

    Boxes are matched whatever their class, best score first (pycocotools without categories). The
    last row holds detections on background, the last column undetected objects. Rows of classes add
    up to their objects; columns of classes to their detections without those of crowds.
    """
    count = len(records.classes)
    matrix = np.zeros((count + 1, count + 1), int)
    truth = {entry['id']: entry['label'] for entry in records.truth}
    found = {entry['id']: entry['label'] for entry in records.found}
    for image in filter(None, records.evaluate([iou_thr], by_class=False).evalImgs):
        for entry, match, ignored in zip(
            image['dtIds'], image['dtMatches'][0], image['dtIgnore'][0], strict=True
        ):
            if not ignored:
                matrix[truth[int(match)] if match else count, found[entry]] += 1
        for entry, match, ignored in zip(
            image['gtIds'], image['gtMatches'][0], image['gtIgnore'], strict=True
        ):
            if not ignored and not match:
                matrix[truth[entry], count] += 1
    return matrix


def average_precision(records: Records) -> dict[str, dict[str, float | None]]:
    """COCO's AP and AP50 of each class by pycocotools; None for a class without an object."""
    evaluation = records.evaluate(COCO_IOUS)
    with redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    precision = evaluation.eval['precision'][..., 0, 0]  # IoU, recall, class
    return {
        name: dict(AP=_mean(precision[:, :, label]), AP50=_mean(precision[:1, :, label]))
        for label, name in enumerate(records.classes)
    }


def _mean(precision: np.ndarray) -> float | None:
    counted = precision[precision > -1]
    return float(counted.mean()) if counted.size else None

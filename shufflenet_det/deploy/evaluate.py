"""COCO mAP of anything that finds objects in images, and how far two of them agree."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from shufflenet_det.data.coco import coco_results
from shufflenet_det.data.pixels import read_image

from .stream import Detections

Found = dict[int, Detections]
"""Detections by image id."""

PIXELS, SCORE = 1e-3, 1e-4
"""Two detections of one label are the same within this, in px of the image."""

MATCH, SURE = 0.5, 0.3
"""IoU of counterparts, and the score from which tools/detect.py shows a detection."""


@dataclass(frozen=True)
class Agreement:
    """How far detections equal those of a reference.

    Args:
        images: Images.
        detections: Detections of the reference.
        same: Those that have a counterpart of the same label within PIXELS and SCORE.
        pixels, score: Largest difference to the counterparts; None where there is none.
    """

    images: int
    detections: int
    same: int
    pixels: float | None
    score: float | None


@dataclass(frozen=True)
class Matching:
    """How far sure detections of a reference are found again, for forms that round.

    Args:
        sure: Detections of the reference with a score of SURE or more.
        matched: Those that have a counterpart of the same label with an IoU of MATCH or more,
            whatever its score; each counterpart counts once.
        added: Sure detections that the reference has no counterpart for.
        iou, score_change: Means over the matched, of the IoU and of |difference of the scores|;
            None where there is none.
    """

    sure: int
    matched: int
    added: int
    iou: float | None
    score_change: float | None


def detect_all(
    predictor: Callable[[ndarray], Detections], coco: COCO, image_dir: str | Path
) -> Found:
    """What a predictor (see `stream.Predictor`) finds in every image of the annotations."""
    return {
        image_id: predictor(read_image(Path(image_dir, image['file_name'])))
        for image_id, image in coco.imgs.items()
    }


def agreement(found: Found, reference: Found) -> Agreement:
    """Compare what two predictors found in the same images."""
    detections, counterparts = 0, []
    for image_id, (boxes, scores, labels) in reference.items():
        detections += len(boxes)
        boxes2, scores2, labels2 = found[image_id]
        for box, score, label in zip(boxes, scores, labels, strict=True):
            pixels = np.abs(boxes2 - box).max(1, initial=0)
            change = np.abs(scores2 - score)
            same = (labels2 == label) & (pixels <= PIXELS) & (change <= SCORE)
            if same.any():
                nearest = np.flatnonzero(same)[pixels[same].argmin()]
                counterparts.append((float(pixels[nearest]), float(change[nearest])))
    pixels, change = np.max(counterparts, 0).tolist() if counterparts else (None, None)
    return Agreement(len(reference), detections, len(counterparts), pixels, change)


def matching(found: Found, reference: Found) -> Matching:
    """Match sure detections of two predictors by label and IoU, both ways."""
    pairs, sure, added = [], 0, 0
    for image_id, theirs in reference.items():
        ours = found[image_id]
        sure += int((theirs[1] >= SURE).sum())
        pairs += _pairs(theirs, ours)
        added += int((ours[1] >= SURE).sum()) - len(_pairs(ours, theirs))
    iou, change = np.mean(pairs, 0).tolist() if pairs else (None, None)
    return Matching(sure, len(pairs), added, iou, change)


def _pairs(first: Detections, second: Detections) -> list[tuple[float, float]]:
    """IoU and |difference of scores| of sure detections and their counterparts, best first."""
    boxes, scores, labels = first
    boxes2, scores2, labels2 = second
    if not len(boxes) or not len(boxes2):
        return []
    ious = mask.iou(_xywh(boxes2), _xywh(boxes), [0] * len(boxes))  # (second, first)
    ious[labels2[:, None] != labels] = 0
    pairs = []
    for i in np.argsort(-scores, kind='stable'):
        j = ious[:, i].argmax()
        if scores[i] >= SURE and ious[j, i] >= MATCH:
            pairs.append((float(ious[j, i]), abs(float(scores[i]) - float(scores2[j]))))
            ious[j] = 0
    return pairs


def _xywh(boxes: ndarray) -> ndarray:
    """Boxes (K, 4) x1, y1, x2, y2 as x, y, width, height in double precision."""
    return np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), 1).astype(np.float64)


def coco_ap(found: Found, classes: Sequence[str], coco: COCO) -> tuple[float, float]:
    """AP over IoU 0.50:0.95 and AP50 as pycocotools computes them.

    Raises:
        ValueError: If a class is no category of the annotations.
    """
    ids = {category['name']: category['id'] for category in coco.cats.values()}
    unknown = [name for name in classes if name not in ids]
    if unknown:
        raise ValueError(f'classes {unknown} are no categories of the annotations: {list(ids)}')
    category_ids = [ids[name] for name in classes]
    results = [
        result
        for image_id, detections in found.items()
        for result in coco_results(image_id, *detections, category_ids)
    ]
    if not results:
        return 0.0, 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(results), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])

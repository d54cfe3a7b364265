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

from .stream import SURE, Detections

Found = dict[int, Detections]
"""Detections by image id."""

PIXELS, SCORE = 1e-3, 1e-4
"""Two detections of one label are the same within this, in px of the image."""

MATCH = 0.5
"""IoU of counterparts."""


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


SAME = 0.99
"""IoU from which a box is the same in another runtime."""


@dataclass(frozen=True)
class Parity:
    """How far detections of another runtime are the same as a reference's.

    Args:
        images: Images.
        detections: Detections of the reference.
        same: Those with a counterpart of the same label and an IoU of SAME or more; each
            counterpart counts once.
        added: Detections that are no counterpart.
        pixels, score: Largest difference of a side (px) and of a score to the counterparts; None
            where there is none.
    """

    images: int
    detections: int
    same: int
    added: int
    pixels: float | None
    score: float | None


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


def parity(found: Found, reference: Found) -> Parity:
    """Compare all detections of another runtime with a reference's."""
    pairs, detections, others = [], 0, 0
    for image_id, theirs in reference.items():
        ours = found[image_id]
        detections, others = detections + len(theirs[0]), others + len(ours[0])
        for i, j, _ in _pairs(theirs, ours, 0.0, SAME):
            pairs.append((np.abs(theirs[0][i] - ours[0][j]).max(), abs(theirs[1][i] - ours[1][j])))
    pixels, score = np.max(pairs, 0).tolist() if pairs else (None, None)
    return Parity(len(reference), detections, len(pairs), others - len(pairs), pixels, score)


def matching(found: Found, reference: Found) -> Matching:
    """Match sure detections of two predictors by label and IoU, both ways."""
    matched, sure, added = [], 0, 0
    for image_id, theirs in reference.items():
        ours = found[image_id]
        sure += int((theirs[1] >= SURE).sum())
        matched += [
            (iou, abs(float(theirs[1][i]) - float(ours[1][j])))
            for i, j, iou in _pairs(theirs, ours, SURE, MATCH)
        ]
        added += int((ours[1] >= SURE).sum()) - len(_pairs(ours, theirs, SURE, MATCH))
    iou, change = np.mean(matched, 0).tolist() if matched else (None, None)
    return Matching(sure, len(matched), added, iou, change)


def _pairs(
    first: Detections, second: Detections, least_score: float, least_iou: float
) -> list[tuple[int, int, float]]:
    """Detections of the first from a score on, best first, their counterparts and the IoUs."""
    boxes, scores, labels = first
    boxes2, _, labels2 = second
    if not len(boxes) or not len(boxes2):
        return []
    ious = mask.iou(_xywh(boxes2), _xywh(boxes), [0] * len(boxes))  # (second, first)
    ious[labels2[:, None] != labels] = 0
    pairs = []
    for i in np.argsort(-scores, kind='stable'):
        j = ious[:, i].argmax()
        if scores[i] >= least_score and ious[j, i] >= least_iou:
            pairs.append((int(i), int(j), float(ious[j, i])))
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
        raise ValueError(
            f'classes {unknown} are no categories of the annotations, which have {list(ids)}; give '
            "annotations of the detector's classes"
        )
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

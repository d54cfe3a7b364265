"""COCO mAP of anything that finds objects in images, and how far two of them agree."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from shufflenet_det.data.coco import coco_results
from shufflenet_det.data.pixels import read_image

Detections = tuple[ndarray, ndarray, ndarray]
"""Boxes (K, 4), scores (K,) and labels (K,) of one image."""

Found = dict[int, Detections]
"""Detections by image id."""

PIXELS, SCORE = 1e-3, 1e-4
"""Two detections of one label are the same within this, in px of the image."""


@dataclass(frozen=True)
class Agreement:
    """How far detections equal those of a reference.

    Args:
        images: Images.
        detections: Detections of the reference.
        same: Those that have a counterpart of the same label within PIXELS and SCORE.
        pixels, score: Largest difference to the counterparts.
    """

    images: int
    detections: int
    same: int
    pixels: float
    score: float


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
    pixels, change = np.max(counterparts, 0, initial=0).tolist() if counterparts else (0.0, 0.0)
    return Agreement(len(reference), detections, len(counterparts), pixels, change)


def coco_map(found: Found, classes: Sequence[str], coco: COCO) -> float:
    """mAP over IoU 0.50:0.95 as pycocotools computes it.

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
        return 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(results), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])

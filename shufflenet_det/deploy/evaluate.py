"""COCO mAP of anything that finds objects in images, with or without mmdet."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from numpy import ndarray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .runtime import Detector, read_image

Found = dict[int, tuple[ndarray, ndarray, ndarray]]


def detect_all(predictor: Detector, coco: COCO, image_dir: str | Path) -> Found:
    """Boxes, scores and labels of a predictor (see `inference.Predictor`) by image id."""
    return {
        image_id: predictor(read_image(Path(image_dir, image['file_name'])))
        for image_id, image in coco.imgs.items()
    }


def coco_map(found: Found, classes: tuple[str, ...], coco: COCO) -> float:
    """mAP over IoU 0.50:0.95 of `detect_all`'s result, as pycocotools computes it.

    Raises:
        ValueError: If a class is no category of the annotations.
    """
    ids = {category['name']: category['id'] for category in coco.cats.values()}
    unknown = [name for name in classes if name not in ids]
    if unknown:
        raise ValueError(f'classes {unknown} are no categories of the annotations: {list(ids)}')
    results = [
        dict(image_id=image_id, category_id=ids[classes[label]], score=score,
             bbox=[x1, y1, x2 - x1, y2 - y1])
        for image_id, (boxes, scores, labels) in found.items()
        for (x1, y1, x2, y2), score, label in zip(
            boxes.tolist(), scores.tolist(), labels.tolist(), strict=True
        )
    ]  # fmt: skip
    if not results:
        return 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(results), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])

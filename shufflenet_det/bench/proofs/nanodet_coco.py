"""COCO AP of NanoDet's published weights in our detectors, in PyTorch and as ONNX files."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray
from pycocotools.coco import COCO

from shufflenet_det.bench.tables import Table
from shufflenet_det.checkpoints.published import PUBLISHED
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.integration.config_scope import config_path
from shufflenet_det.training.launch import load_config

IMAGES = 'coco128_train2017'
"""Folder of the test data with images and annotations of COCO train2017."""

SUBSET = 16
"""Images at the beginning of the set for which an AP of their own is kept."""


@dataclass(frozen=True)
class Case:
    """A file of test data and what its origin measured with it on the same images.

    Args:
        name: In ``published.PUBLISHED``.
        file: Below nanodet/ of the test data.
        stated: AP with the source's resizing.
        keep_ratio: Whether that keeps the ratio of the image.
    """

    name: str
    file: str
    stated: float
    keep_ratio: bool


CASES = (
    Case('nanodet-m', 'm_320/nanodet_m.pth', 0.3235, True),
    Case('nanodet-plus-m-320', 'plus_m_320/nanodet_plus_m_320.pth', 0.3985, False),
    Case('nanodet-plus-m-416', 'plus_m_416/nanodet_plus_m_416.pth', 0.4105, False),
)


@dataclass(frozen=True)
class Row:
    """What came of a case; APs over IoU 0.50:0.95.

    Args:
        sha256: Of the file.
        published: COCO val2017, as the authors print it, in percent.
        stated: As in :class:`Case`.
        source: AP with the source's resizing, here.
        config: AP with the config's resizing.
        onnx: The same by the exported file in ONNX Runtime.
        first: ``config`` on the first SUBSET images.
        same, detections: Detections of the exported file that equal PyTorch's, of all.
        pixels, score: Largest differences between them.
    """

    name: str
    sha256: str
    published: float
    stated: float
    source: float
    config: float
    onnx: float
    first: float
    same: int
    detections: int
    pixels: float
    score: float


def load(case: Case, data: str | Path) -> MMDetPredictor:
    """The detector of a case, on the CPU."""
    config = config_path(f'shufflenet_det::{PUBLISHED[case.name].config}')
    return MMDetPredictor(str(config), str(Path(data, 'nanodet', case.file)), 'cpu')


def examine(case: Case, data: str | Path, folder: str | Path) -> Row:
    """Measure a case on the 128 images of COCO train2017 of the test data.

    Args:
        case: What to measure.
        data: The folder of test data.
        folder: Where the .onnx file goes.
    """
    # need onnxruntime, which a report of results does not
    from shufflenet_det.deploy.evaluate import agreement, coco_ap, detect_all
    from shufflenet_det.deploy.onnx_export import save_onnx, to_onnx
    from shufflenet_det.deploy.runtime import Detector

    coco, images = annotations(data), Path(data, IMAGES, 'train2017')
    first = annotations(data, SUBSET)
    cfg = load_config(config_path(f'shufflenet_det::{PUBLISHED[case.name].config}'))
    predictor, path = load(case, data), Path(folder, f'{case.name}.onnx')
    save_onnx(to_onnx(load(case, data).model, cfg), path)
    found = detect_all(predictor, coco, images)
    exported = detect_all(Detector(path, num_threads=1), coco, images)
    warped = detect_all(as_source(predictor, cfg.size[0], case.keep_ratio), coco, images)
    of_first = {key: found[key] for key in first.imgs}
    compared = asdict(agreement(exported, found))
    return Row(
        name=case.name,
        sha256=hashlib.sha256(Path(data, 'nanodet', case.file).read_bytes()).hexdigest(),
        published=PUBLISHED[case.name].ap,
        stated=case.stated,
        source=coco_ap(warped, predictor.classes, coco)[0],
        config=coco_ap(found, predictor.classes, coco)[0],
        onnx=coco_ap(exported, predictor.classes, coco)[0],
        first=coco_ap(of_first, predictor.classes, first)[0],
        **{key: value for key, value in compared.items() if key != 'images'},
    )


def annotations(data: str | Path, count: int | None = None) -> COCO:
    """The annotations of the first images, of all unless ``count`` is given."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(Path(data, IMAGES, 'instances_train2017.json')))
        kept = coco.dataset['images'][:count]
        ids = {image['id'] for image in kept}
        boxes = [each for each in coco.dataset['annotations'] if each['image_id'] in ids]
        coco.dataset.update(images=kept, annotations=boxes)
        coco.createIndex()
    return coco


def as_source(predictor: Callable, side: int, keep_ratio: bool) -> Callable:
    """A predictor behind the resizing of NanoDet's own project: one warp to a square.

    With ``keep_ratio`` the picture stands in the centre of black.
    """

    def predict(image: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        size = np.array(image.shape[1::-1])
        scale = side / size
        scale = np.full(2, scale.min()) if keep_ratio else scale
        shift = (side - scale * size) / 2
        matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]], [0, 0, 1]])
        boxes, scores, labels = predictor(cv2.warpPerspective(image, matrix, (side, side)))
        boxes = (boxes - np.tile(shift, 2)) / np.tile(scale, 2)
        return boxes.clip(0, np.tile(size, 2)), scores, labels

    return predict


def tables(result: Mapping) -> list[Table]:
    """The view of a result."""
    header = ('model', 'COCO val2017, published', "source's resizing, stated", 'here',
              "config's resizing", 'as ONNX', 'equal detections', 'of', 'apart by px')  # fmt: skip
    measured = ('stated', 'source', 'config', 'onnx')
    rows = tuple(
        (row['name'], row['published'], *(round(100 * row[key], 2) for key in measured),
         row['same'], row['detections'], row['pixels'])
        for row in result['rows']
    )  # fmt: skip
    caption = (
        'AP of published weights. All but the first are of 128 images of COCO train2017, which '
        'the nets were trained on: compare them with each other only.'
    )
    return [Table('nanodet', caption, header, rows)]

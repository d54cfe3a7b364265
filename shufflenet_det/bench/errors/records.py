"""Ground truth and detections of the same images, with labels that index the same classes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmdet.datasets import CocoDataset, XMLDataset
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from shufflenet_det.data.check import read_annotations
from shufflenet_det.data.training_check import datasets
from shufflenet_det.data.voc_dataset import read_voc_in

MAX_DETECTIONS = 100  # of an image, as COCO counts them
FIELDS = ('image_id', 'category_id', 'bbox', 'score')  # of a detection


@dataclass(frozen=True)
class Records:
    """Objects and detections, both as dicts with id, image_id, label and bbox.

    Attributes:
        classes: Names of the labels.
        paths: Image id -> file.
        truth: Ground truth; ``iscrowd`` marks what is not counted.
        found: Detections with ``score``, at most ``MAX_DETECTIONS`` of an image and class count.
    """

    classes: tuple[str, ...]
    paths: Mapping[object, Path]
    truth: Sequence[dict]
    found: Sequence[dict]

    def evaluate(self, iou_thrs: Sequence[float], by_class: bool = True) -> COCOeval:
        """pycocotools' matching at IoU thresholds, of each class or of all boxes alike."""
        with redirect_stdout(io.StringIO()):
            evaluation = COCOeval(self._coco(self.truth), self._coco(self.found), 'bbox')
            evaluation.params.iouThrs = np.asarray(iou_thrs)
            evaluation.params.useCats = int(by_class)
            evaluation.params.areaRng = [[0, 1e10]]
            evaluation.params.areaRngLbl = ['all']
            evaluation.params.maxDets = [MAX_DETECTIONS]
            evaluation.evaluate()
        return evaluation

    def _coco(self, entries: Sequence[Mapping]) -> COCO:
        annotations = [
            dict(
                id=entry['id'], image_id=entry['image_id'], category_id=entry['label'] + 1,
                bbox=entry['bbox'], area=entry['bbox'][2] * entry['bbox'][3],
                iscrowd=entry.get('iscrowd', 0), score=entry.get('score', 1.0),
            )
            for entry in entries
        ]  # fmt: skip
        coco = COCO()
        coco.dataset = dict(
            images=[dict(id=image) for image in self.paths],
            categories=[dict(id=i, name=name) for i, name in enumerate(self.classes, start=1)],
            annotations=annotations,
        )
        coco.createIndex()
        return coco


def load_records(cfg: Config, predictions: Mapping | Sequence) -> Records:
    """Records of the test data of a config.

    Args:
        cfg: Its test_dataloader holds one data set in COCO or Pascal VOC format.
        predictions: COCO results (a list with image_id, category_id, bbox x, y, width, height and
            score), or the content of a ``detections.json`` of tools/detect.py, which names images
            and classes.

    Raises:
        ValueError: If the data are of another format, or a detection names an image or a class
            that they do not have.
    """
    content, folder, classes = read_truth(cfg)
    labels = {c['id']: classes.index(c['name'])
              for c in content['categories'] if c['name'] in classes}  # fmt: skip
    paths = {image['id']: Path(folder, image['file_name']) for image in content['images']}
    known = [a for a in content['annotations'] if a['category_id'] in labels]
    truth = [
        dict(id=number, image_id=a['image_id'], label=labels[a['category_id']],
             bbox=list(a['bbox']), iscrowd=int(a.get('iscrowd', 0)))
        for number, a in enumerate(known, start=1)
    ]  # fmt: skip
    if isinstance(predictions, Mapping):
        predictions, labels = _by_name(predictions, paths, classes)
    for prediction in predictions:
        if prediction['image_id'] not in paths or prediction['category_id'] not in labels:
            raise ValueError(
                f'detection of image {prediction["image_id"]!r}, category '
                f'{prediction["category_id"]!r}: not in the {len(paths)} images and '
                f'{len(labels)} categories of the test data; give detections of these data'
            )
    found = [
        dict(id=number, image_id=p['image_id'], label=labels[p['category_id']],
             bbox=list(p['bbox']), score=float(p['score']))
        for number, p in enumerate(predictions, start=1)
    ]  # fmt: skip
    return Records(classes, paths, truth, found)


def read_truth(cfg: Config) -> tuple[dict, Path, tuple[str, ...]]:
    """COCO content, image folder and classes of the test data of a config.

    Raises:
        ValueError: As :func:`load_records`.
    """
    register_all_modules(init_default_scope=False)
    sets = list(datasets(cfg.test_dataloader))
    if len(sets) != 1:
        raise ValueError(f'test_dataloader holds {len(sets)} data sets; give a config with one')
    settings = {k: v for k, v in sets[0].items() if k not in ('pipeline', 'indices')}
    built = DATASETS.build(dict(settings, pipeline=[], lazy_init=True))
    classes = tuple(built.metainfo['classes'])
    if isinstance(built, XMLDataset):
        folder = Path(built.sub_data_root)
        found = read_voc_in(built.ann_file, folder, built.ann_subdir, built.img_subdir)
    elif isinstance(built, CocoDataset):
        folder = Path(built.data_prefix['img'])
        found = read_annotations(built.ann_file, built.data_prefix['img'])
    else:
        raise ValueError(f'{type(built).__name__} is neither a COCO nor a Pascal VOC data set')
    found.refuse_faults(str(built.ann_file))
    return found.content, folder, classes


def read_predictions(path: str | Path) -> dict | list:
    """The content of a detection file.

    Raises:
        ValueError: If it cannot be read as JSON, or lists no detections.
    """
    try:
        content = json.loads(Path(path).read_bytes())
        _check_detections(content)
        return content
    except (OSError, ValueError) as error:
        raise ValueError(
            f'{path}: no detections in JSON ({error}); give detections.json of tools/detect.py, '
            'or what CocoMetric writes with test_evaluator.outfile_prefix'
        ) from error


def _check_detections(content: object) -> None:
    whole = isinstance(content, Mapping)
    listed = content.get('annotations') if whole else content
    if not isinstance(listed, list) or whole and not {'images', 'categories'} <= content.keys():
        raise ValueError('neither a list nor a file of COCO')
    for number, entry in enumerate(listed):
        lacks = [key for key in FIELDS if not isinstance(entry, Mapping) or key not in entry]
        if lacks:
            raise ValueError(f'entry {number} has no {", ".join(lacks)}')


def _by_name(content: Mapping, paths: Mapping, classes: Sequence[str]) -> tuple[list, dict]:
    ids = {path.name: image for image, path in paths.items()}
    files = {image['id']: Path(image['file_name']).name for image in content['images']}
    labels = {c['id']: classes.index(c['name'])
              for c in content['categories'] if c['name'] in classes}  # fmt: skip
    renamed = [
        dict(a, image_id=ids.get(files[a['image_id']], files[a['image_id']]))
        for a in content['annotations']
    ]
    return renamed, labels

"""Generated COCO sets, written in every way that the format's users write them.

A way of writing changes no meaning: whatever of `annotation_writings.WRITINGS` and of `ENCODINGS` a
file is written with, its check passes, its boxes and names are those of the truth, and the truth
scores AP 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.registry import DATASETS
from numpy.random import Generator

from shufflenet_det.training import SafeCocoMetric

NAMES = ('cat', 'dog', 'bird', 'größe', 'traffic light')
Truth = tuple[str, str, list[float]]  # file name, class name, x, y, width, height


@dataclass
class Made:
    """A set and what stands in it.

    Args:
        content: Of the annotation file.
        images: Folder of the images.
        truth: Objects, crowds not among them.
        classes: Names that a config gives, in an order of its own.
    """

    content: dict
    images: Path
    truth: list[Truth]
    classes: tuple[str, ...]


def make(rng: Generator, folder: Path) -> Made:
    """A set of 2 to 4 images of noise with 1 to 4 objects each."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(rng.permutation(NAMES)[: rng.integers(2, len(NAMES) + 1)])
    ids = rng.permutation(20)[: len(names)]
    categories = [dict(id=int(i), name=str(n)) for i, n in zip(ids, names, strict=True)]
    content = dict(images=[], annotations=[], categories=categories)
    truth = []
    for image in range(int(rng.integers(2, 5))):
        width, height = (int(side) for side in rng.integers(40, 80, 2))
        pixels = rng.integers(0, 255, (height, width, 3), np.uint8)
        file = f'{image} {rng.integers(100)}.jpg'
        (folder / file).write_bytes(cv2.imencode('.jpg', pixels)[1].tobytes())
        content['images'].append(dict(id=image + 7, file_name=file, width=width, height=height))
        for _ in range(int(rng.integers(1, 5))):
            category = categories[rng.integers(len(categories))]
            x, y = float(rng.integers(width - 8)), float(rng.integers(height - 8))
            box = [x, y, float(rng.integers(4, width - x)), float(rng.integers(4, height - y))]
            content['annotations'].append(
                dict(
                    id=len(content['annotations']) + 1, image_id=image + 7,
                    category_id=category['id'], bbox=box, area=box[2] * box[3], iscrowd=0,
                )
            )  # fmt: skip
            truth.append((file, category['name'], box))
    classes = tuple(str(name) for name in rng.permutation(names))
    return Made(content, folder, truth, classes)


ENCODINGS = {
    'UTF-8': 'utf-8', 'byte order mark': 'utf-8-sig', 'UTF-16': 'utf-16', 'UTF-32': 'utf-32',
}  # fmt: skip


def write(made: Made, path: Path, encoding: str = 'utf-8') -> Path:
    path.write_bytes(json.dumps(made.content, ensure_ascii=False).encode(encoding))
    return path


def dataset_of(path: Path, made: Made, **settings: object) -> object:
    """The data set of MMDetection that trains on it."""
    return DATASETS.build(
        dict(
            type='CheckedCocoDataset', ann_file=str(path), data_prefix=dict(img=str(made.images)),
            metainfo=dict(classes=made.classes), pipeline=[], **settings,
        )
    )  # fmt: skip


def loaded(dataset: object) -> list[Truth]:
    """What a data set gives, in the terms of the truth: crowds not among them."""
    classes = dataset.metainfo['classes']
    return sorted(
        (Path(info['img_path']).name, classes[i['bbox_label']], _xywh(i['bbox']))
        for info in map(dataset.get_data_info, range(len(dataset)))
        for i in info['instances']
        if not i['ignore_flag']
    )


def _xywh(box: Sequence[float]) -> list[float]:
    x1, y1, x2, y2 = map(float, box)
    return [x1, y1, x2 - x1, y2 - y1]


def score_truth(path: Path, dataset: object, truth: Sequence[Truth]) -> Mapping[str, float]:
    """Scores of the truth as predictions, labels by the place of their names in the config."""
    metric = SafeCocoMetric(ann_file=str(path))
    metric.dataset_meta = dataset.metainfo
    classes = list(dataset.metainfo['classes'])
    for info in map(dataset.get_data_info, range(len(dataset))):
        own = [(n, b) for f, n, b in truth if f == Path(info['img_path']).name]
        boxes = torch.tensor([b for _, b in own], dtype=torch.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = torch.tensor([classes.index(n) for n, _ in own], dtype=torch.long)
        found = dict(bboxes=boxes, scores=torch.ones(len(own)), labels=labels)
        shape = (info['height'], info['width'])
        sample = dict(img_id=info['img_id'], ori_shape=shape, pred_instances=found)
        metric.process({}, [sample])
    return metric.evaluate(size=len(dataset))

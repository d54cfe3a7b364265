"""Pascal VOC annotations as MMDetection's data sets ask for them, read by this package."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from mmdet.datasets import VOCDataset, XMLDataset
from mmdet.registry import DATASETS

from .annotations import Annotations
from .coco_dataset import NotEmpty
from .faults import CONSEQUENCES, WARNED
from .values import class_name
from .voc import read_voc

STOPPING = tuple(severity for severity in CONSEQUENCES if severity != WARNED)
"""Severities that stop a training: XMLDataset leaves out no box."""


def read_voc_in(ann_file: str | Path, root: str, ann_subdir: str, img_subdir: str) -> Annotations:
    """What the files of a data set hold, its folders as `XMLDataset` names them."""
    return read_voc(ann_file, Path(root, ann_subdir), img_subdir, Path(root))


def load_voc(dataset: XMLDataset) -> list[dict]:
    """What `XMLDataset.load_data_list` gives, of annotations read by this package.

    Raises:
        DataError: Naming the list and its faults.
    """
    folders = dataset.sub_data_root, dataset.ann_subdir, dataset.img_subdir
    found = read_voc_in(dataset.ann_file, *folders)
    found.refuse_faults(str(dataset.ann_file), STOPPING)
    content = found.content
    names = {category['id']: category['name'] for category in content['categories']}
    dataset.cat2label = {class_name(n): k for k, n in enumerate(dataset.metainfo['classes'])}
    instances = defaultdict(list)
    for annotation in content['annotations']:
        label = dataset.cat2label.get(names[annotation['category_id']])
        if label is not None:
            instances[annotation['image_id']].append(_instance(annotation, label, dataset))
    root = Path(dataset.sub_data_root)
    return [
        dict(
            img_id=image['id'],
            img_path=str(root / image['file_name']),
            xml_path=str(root / dataset.ann_subdir / f'{image["id"]}.xml'),
            width=image['width'],
            height=image['height'],
            instances=instances[image['id']],
        )
        for image in content['images']
    ]


def _instance(annotation: dict, label: int, dataset: XMLDataset) -> dict:
    x, y, width, height = annotation['bbox']
    least = dataset.bbox_min_size
    ignored = annotation['iscrowd'] or (least is not None and min(width, height) < least)
    return dict(bbox=[x, y, x + width, y + height], bbox_label=label, ignore_flag=int(ignored))


class _Checked(NotEmpty):
    """Reads its list and its XML files through :func:`load_voc`."""

    def load_data_list(self) -> list[dict]:
        """As of `XMLDataset`.

        Raises:
            DataError: Naming the list and its faults.
        """
        return load_voc(self)


@DATASETS.register_module()
class CheckedXMLDataset(_Checked, XMLDataset):
    """`XMLDataset` that finds images of every suffix and names faults; takes its arguments."""


@DATASETS.register_module()
class CheckedVOCDataset(_Checked, VOCDataset):
    """`VOCDataset` that finds images of every suffix and names faults; takes its arguments."""

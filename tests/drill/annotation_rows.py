"""Rows 7 to 11: annotation files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from shufflenet_det.data.annotations import DataError
from shufflenet_det.data.check import read_annotations
from shufflenet_det.data.clean import clean
from shufflenet_det.data.reader import annotations_of
from shufflenet_det.data.training_check import check_training_data

from .case import Lab, case, confirm, refused
from .tiny import tiny_config


def original(lab: Lab) -> dict:
    return json.loads((lab.data / 'annotations/instances_train.json').read_text())


def before_training(lab: Lab, content: dict | str, **options) -> None:
    """The checks that stand before step 1 of a training with this annotation file."""
    path = lab.folder / 'ann.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    cfg = tiny_config(lab.data, lab.folder / 'work', **options)
    cfg.train_dataloader.dataset.update(data_root='', ann_file=str(path))
    check_training_data(cfg)


def spoiled(lab: Lab, change: Callable[[dict], None], fatal: bool, *words: object) -> str:
    """Spoil the annotations: found with its id, cleaned away, and fatal or told."""
    content = original(lab)
    change(content)
    found = annotations_of(content)
    confirm(found.told(), 'check_dataset found nothing')
    rest = annotations_of(clean(found)[0]).faults
    confirm(not rest, f'the cleaned file still has {rest[:3]}')
    if fatal:
        return refused(lambda: before_training(lab, content), *words, kind=DataError)
    confirm(not any(fault.fatal for fault in found.faults), found.told())
    before_training(lab, content)
    return found.told()


def boxes(*values: object) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        for annotation, value in zip(content['annotations'], values, strict=False):
            annotation['bbox'] = value

    return change


def field(section: str, key: str, value: object) -> Callable[[dict], None]:
    return lambda content: content[section][0].update({key: value})


def without(section: str, key: str) -> Callable[[dict], None]:
    return lambda content: content[section][0].pop(key)


def repeat(section: str) -> Callable[[dict], None]:
    return lambda content: content[section].append(dict(content[section][0]))


SMALL = ([5, 5, 0, 9], [5, 5, -3, 9], [5, 5, 0.4, 9], [9000, 5, 9, 9])
SPOILED = [
    (7, 'boxes of zero, negative and sub-pixel size, outside', boxes(*SMALL), False, ()),
    (8, 'box with NaN', boxes([float('nan'), 1, 5, 5]), True, ('annotation 1',)),
    (8, 'box with inf', boxes([1, 1, float('inf'), 5]), True, ('annotation 1',)),
    (8, 'box of 1e9', boxes([1, 1, 1e9, 5]), True, ('annotation 1',)),
    (9, 'unknown category_id', field('annotations', 'category_id', 99), True, ('99', 'known [1')),
    (10, 'duplicate annotation ids', repeat('annotations'), True, ('annotation 1',)),
    (10, 'duplicate image ids', repeat('images'), True, ('image 1',)),
    (10, 'missing area', without('annotations', 'area'), False, ()),
    (10, 'missing bbox', without('annotations', 'bbox'), True, ('bbox', 'annotation 1')),
    (10, 'missing width', without('images', 'width'), True, ('width', 'image 1')),
    (10, 'bbox null', boxes(None), True, ('bbox None', 'annotation 1')),
    (10, 'bbox of 3 values', boxes([1, 2, 3]), True, ('[1, 2, 3]', 'annotation 1')),
]

for _row, _name, _change, _fatal, _words in SPOILED:
    case(_row, _name)(lambda lab, rest=(_change, _fatal, *_words): spoiled(lab, *rest))


@case(9, 'class names unlike those of the file')
def other_names(lab: Lab) -> str:
    content = original(lab)
    content['categories'][0]['name'] = 'disc'
    return refused(lambda: before_training(lab, content), "'disk'", "'disc'", kind=DataError)


@case(9, 'num_classes unlike the data set')
def other_count(lab: Lab) -> str:
    options = dict(model__roi_head__bbox_head__num_classes=80)
    return refused(
        lambda: before_training(lab, original(lab), **options),
        'roi_head.bbox_head.num_classes=80', '8 classes', kind=DataError,
    )  # fmt: skip


@case(11, 'truncated JSON')
def cut(lab: Lab) -> str:
    text = json.dumps(original(lab))
    return refused(lambda: before_training(lab, text[:-100]), lab.folder / 'ann.json', 'copy')


@case(11, 'missing JSON')
def missing(lab: Lab) -> str:
    path: Path = lab.folder / 'none.json'
    return refused(lambda: read_annotations(path), path, 'No such file')

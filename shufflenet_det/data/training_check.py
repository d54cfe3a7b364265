"""Cheap checks of config and annotations before the first step, with both sides shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from mmdet.datasets import BaseDetDataset, CocoDataset, XMLDataset
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.logging import print_log

from .check import check_annotations, read_annotations
from .faults import Fault, summary
from .voc import read_voc

SHOWN = 10


class DataError(ValueError):
    """The data cannot be trained on as they are."""


def datasets(loader: Mapping) -> Iterator[Mapping]:
    """The innermost dataset configs of a dataloader, through wrappers and concatenations."""
    pending = [loader.get('dataset', {})]
    while pending:
        dataset = pending.pop()
        if isinstance(dataset, Mapping):
            inner = [dataset['dataset']] if 'dataset' in dataset else dataset.get('datasets', [])
            pending += inner
            if 'ann_file' in dataset:
                yield dataset


def check_training_data(cfg: Config) -> None:
    """Compare annotations, class names and heads of a config of MMDetection.

    Data sets other than those in COCO and Pascal VOC format are not looked into.

    Raises:
        DataError: Naming the file and both sides, before any image is read.
    """
    for split in ('train', 'val'):
        for dataset in datasets(cfg.get(f'{split}_dataloader') or {}):
            kind = DATASETS.get(dataset['type'])
            coco = issubclass(kind, CocoDataset) and kind.COCOAPI is CocoDataset.COCOAPI
            voc = issubclass(kind, XMLDataset) and kind.load_data_list is XMLDataset.load_data_list
            if coco or voc:
                _check_dataset(dataset, split, dict(_class_counts(cfg.model)))


def _check_dataset(dataset: Mapping, split: str, heads: Mapping[str, int]) -> None:
    settings = {key: value for key, value in dataset.items() if key not in ('indices', 'pipeline')}
    built = DATASETS.build(dict(settings, pipeline=[], lazy_init=True))
    path, classes = Path(built.ann_file), tuple(built.metainfo['classes'])
    faults, names = _inspect(built)
    where = f'{split}_dataloader, {path}'
    voc = isinstance(built, XMLDataset)
    missing = [name for name in classes if name not in names]
    if missing and voc and split != 'train':  # a small split may lack a class
        print_log(f'{where}: no object of {missing}', logger='current', level=logging.WARNING)
    elif missing:
        raise DataError(
            f'{where}: classes of the config that are not in the file: {missing[:SHOWN]} '
            f'({len(missing)} of {len(classes)}); categories of the file: {list(names)[:80]}. '
            'Set metainfo=dict(classes=...) of every dataset to the names in the file'
        )
    for key, count in heads.items():
        if count != len(classes):
            raise DataError(
                f'{where}: {key}={count}, but the data set has {len(classes)} classes '
                f'{list(classes)[:80]}; set {key}={len(classes)}'
            )
    fatal = [fault for fault in faults if fault.fatal or voc]  # XMLDataset leaves out no box
    if fatal:
        raise DataError(
            f'{where}: {len(fatal)} faults:\n'
            + '\n'.join(f'  {fault}' for fault in fatal[:SHOWN])
            + f'\n{summary(fatal)}\ntools/check_dataset.py lists them all and writes a cleaned file'
        )
    if faults:
        print_log(f'{where}: left out:\n{summary(faults)}', logger='current', level=logging.WARNING)


def _inspect(built: BaseDetDataset) -> tuple[list[Fault], list[str]]:
    """Faults and category names of a dataset that has not loaded its annotations."""
    stat = Path(built.ann_file).stat() if Path(built.ann_file).is_file() else None
    folders = ()
    if isinstance(built, XMLDataset):
        folders = (Path(built.sub_data_root, built.ann_subdir), built.img_subdir)
    return _read(Path(built.ann_file), folders, stat and (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=8)
def _read(path: Path, voc_folders: tuple, version: object) -> tuple[list[Fault], list[str]]:
    """What _inspect returns; remembered, as several hooks and tools ask."""
    try:
        content = read_voc(path, *voc_folders) if voc_folders else read_annotations(path)
    except ValueError as error:
        raise DataError(str(error)) from error
    names = [c['name'] for c in content['categories'] if isinstance(c, dict) and 'name' in c]
    return check_annotations(content), names


def _class_counts(model: Mapping, prefix: str = 'model') -> Iterator[tuple[str, int]]:
    """Keys and values of num_classes in every head but those that propose regions."""
    for key, value in model.items():
        entries = value if isinstance(value, (list, tuple)) else [value]
        for number, entry in enumerate(entries):
            name = f'{prefix}.{key}' + (f'[{number}]' if entry is not value else '')
            if isinstance(entry, Mapping) and 'rpn' not in key:
                if key.endswith('head') and isinstance(entry.get('num_classes'), int):
                    yield f'{name}.num_classes', entry['num_classes']
                yield from _class_counts(entry, name)

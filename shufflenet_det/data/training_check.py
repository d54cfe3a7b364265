"""Cheap checks of config and annotations before the first step, with both sides shown."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

from mmdet.datasets import BaseDetDataset, CocoDataset, XMLDataset
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.logging import print_log

from .annotations import SHOWN, Annotations, DataError
from .check import read_annotations
from .coco_dataset import CheckedCocoDataset, load_coco
from .faults import FATAL
from .values import class_name
from .voc_dataset import (
    STOPPING,
    CheckedVOCDataset,
    CheckedXMLDataset,
    load_voc,
    read_voc_in,
)  # fmt: skip


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


def check_training_data(cfg: Config, splits: Sequence[str] = ('train', 'val')) -> None:
    """Compare annotations, class names and heads of a config of MMDetection.

    Data sets other than those in COCO and Pascal VOC format are not looked into.

    Raises:
        DataError: Naming the file and both sides, before any image is read.
    """
    heads: dict[str, int] = dict(_class_counts(cfg.get('model') or {}))
    orders: dict[tuple[str, ...], str] = {}
    for split in splits:
        for dataset in datasets(cfg.get(f'{split}_dataloader') or {}):
            built = _unloaded(dataset)
            if reader_of(built):
                where = f'{split}_dataloader, {built.ann_file}'
                classes = tuple(built.metainfo['classes'])
                orders.setdefault(classes, where)
                _check_dataset(built, where, classes, split)
                _check_heads(heads, where, classes)
    if len(orders) > 1:
        shown = '; '.join(f'{where}: {list(names)[:80]}' for names, where in orders.items())
        raise DataError(
            f'the classes of the data sets differ: {shown}. A label is a place in this list: set '
            'metainfo=dict(classes=...) of every data set to the same names in the same order'
        )


def _unloaded(dataset: Mapping) -> object:
    settings = {key: value for key, value in dataset.items() if key not in ('indices', 'pipeline')}
    return DATASETS.build(dict(settings, pipeline=[], lazy_init=True))


def reader_of(dataset: object) -> Callable[[object], list[dict]] | None:
    """What loads a data set's annotations through this package; None for formats of their own."""
    kind = type(dataset)
    if isinstance(dataset, CocoDataset) and kind.COCOAPI is CocoDataset.COCOAPI:
        plain = (CocoDataset.load_data_list, CheckedCocoDataset.load_data_list)
        return load_coco if kind.load_data_list in plain else None
    plain = (XMLDataset.load_data_list, CheckedXMLDataset.load_data_list)
    return load_voc if isinstance(dataset, XMLDataset) and kind.load_data_list in plain else None


def _check_dataset(built: BaseDetDataset, where: str, classes: Sequence[str], split: str) -> None:
    voc, found = isinstance(built, XMLDataset), inspect(built)
    found.refuse_faults(where, STOPPING if voc else (FATAL,))
    names = list(found.objects)
    missing = [name for name in classes if class_name(name) not in names]
    if missing and not (voc and split != 'train'):  # a small split may lack a class
        raise DataError(
            f'{where}: classes of the config that are not in the file: {missing[:SHOWN]} '
            f'({len(missing)} of {len(classes)}); categories of the file: {names[:80]}. '
            'Set metainfo=dict(classes=...) of every dataset to the names in the file'
        )
    if len(set(map(class_name, classes))) < len(classes):
        raise DataError(f'{where}: a class stands twice in {list(classes)[:80]}; write each once')
    if found.told():
        print_log(f'{where}:\n{found.told()}', logger='current', level=logging.WARNING)
    unseen = [name for name in classes if not found.objects.get(class_name(name))]
    if len(unseen) == len(classes) and split == 'train':
        raise DataError(
            f'{where}: no object of {list(classes)[:80]} but crowds, nothing can be learnt'
        )
    if unseen:
        print_log(
            f'{where}: no object of {unseen[:80]} ({len(unseen)} of {len(classes)} classes)'
            + ('; without any the score is -1' if len(unseen) == len(classes) else ''),
            logger='current', level=logging.WARNING,
        )  # fmt: skip


def _check_heads(heads: Mapping[str, int], where: str, classes: Sequence[str]) -> None:
    for key, count in heads.items():
        if count != len(classes):
            raise DataError(
                f'{where}: {key}={count}, but the data set has {len(classes)} classes '
                f'{list(classes)[:80]}; set {key}={len(classes)}'
            )


def inspect(dataset: BaseDetDataset) -> Annotations:
    """The annotations of a data set that :func:`reader_of` knows, loaded or not, less the entries.

    Raises:
        DataError: If they cannot be read.
    """
    path = Path(dataset.ann_file)
    stat = path.stat() if path.is_file() else None
    voc = isinstance(dataset, XMLDataset)
    folders = (
        (dataset.sub_data_root, dataset.ann_subdir, dataset.img_subdir)
        if voc
        else (dataset.data_prefix.get('img', ''),)
    )
    return _read(path, voc, folders, stat and (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=8)
def _read(path: Path, voc: bool, folders: Sequence[str], version: object) -> Annotations:
    """What :func:`inspect` returns; remembered, as several hooks and tools ask."""
    found = read_voc_in(path, *folders) if voc else read_annotations(path, *folders)
    found.forget_entries()
    return found


def reads_as_plain(dataset: BaseDetDataset) -> bool:
    """Whether MMDetection's own reader gives the same labels and boxes."""
    found, classes = inspect(dataset), list(dataset.metainfo['classes'])
    by_name = isinstance(dataset, XMLDataset)
    in_order = by_name or [name for name in found.objects if name in classes] == classes
    return in_order and not found.readings


def read_anew(dataset: object) -> bool:
    """Read the annotations of built data sets through this package, where that differs.

    Args:
        dataset: One of MMDetection's, or a wrapper of some.

    Returns:
        Whether all of them are of formats that this package reads.
    """
    pending, known = [dataset], True
    while pending:
        current = pending.pop()
        inner = [current.dataset] if hasattr(current, 'dataset') else []
        inner += list(getattr(current, 'datasets', []))
        pending += inner
        if inner:
            continue
        reader = reader_of(current)
        known = known and reader is not None
        if reader is not None and not _is_checked(current) and not reads_as_plain(current):
            current.load_data_list = partial(reader, current)
            current._fully_initialized = False
            current.full_init()
            del current.load_data_list
    return known


def _is_checked(dataset: object) -> bool:
    return isinstance(dataset, (CheckedCocoDataset, CheckedXMLDataset, CheckedVOCDataset))


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

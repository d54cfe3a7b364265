"""Finds the annotations of a folder of images, laid out as labelling tools export them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .annotations import Annotations, DataError
from .check import read_annotations
from .faults import Findings
from .files import read_file
from .voc import SUFFIXES, list_of_ids, read_ids
from .yolo import find_names, read_yolo

NAMES = dict(
    train=('train', 'training'), val=('val', 'valid', 'validation', 'dev'), test=('test', 'testing')
)  # fmt: skip
"""Split -> how folders and files call it."""

ROBOFLOW = '_annotations.coco.json'
XML_FOLDERS = ('annotations', 'labels', 'xml', 'xmls')
IMAGE_FOLDERS = ('JPEGImages', 'images', 'Images', 'img', '.')
MAIN = 'ImageSets/Main'


@dataclass(frozen=True)
class Part:
    """Annotations of one split.

    Args:
        split: A key of NAMES; empty where nothing says which.
        annotations: File or folder that holds them, for messages.
        read: Gives what they hold, and the folder that the images' names are relative to; raises
            DataError.
    """

    split: str
    annotations: Path
    read: Callable[[], tuple[Annotations, Path]]


@dataclass(frozen=True)
class Layout:
    """What an export looks like, and what finds its parts in a folder."""

    shape: str
    find: Callable[[Path], Iterable[Part]]


def split_of(name: str) -> str:
    """The split that a name speaks of; empty where it speaks of none, or of several."""
    words = set(re.findall('[a-z]+', name.lower()))
    said = [split for split, names in NAMES.items() if words & set(names)]
    return said[0] if len(said) == 1 else ''


def folders(root: Path, depth: int = 2) -> Iterator[Path]:
    """A folder and those in it, hidden ones apart, in the order of their names."""
    yield root
    for path in sorted(root.iterdir()) if depth else ():
        if path.is_dir() and not path.name.startswith('.'):
            yield from folders(path, depth - 1)


def _roboflow(root: Path) -> Iterator[Part]:
    for folder in folders(root, 1):
        if (folder / ROBOFLOW).is_file():
            split = '' if folder == root else split_of(folder.name)
            path = folder / ROBOFLOW
            yield Part(split, path, partial(_read_coco, path, [folder]))


def _coco(root: Path) -> Iterator[Part]:
    for folder in (root, root / 'annotations'):
        for path in sorted(folder.glob('*.json')):
            if path.name != ROBOFLOW and _is_coco(path):
                split = split_of(path.stem)
                places = [f for f in folders(root) if split and split_of(f.name) == split]
                places += [path.parent, *folders(root)]
                yield Part(split, path, partial(_read_coco, path, places))


def _read_coco(path: Path, places: list[Path]) -> tuple[Annotations, Path]:
    """What a file holds, and that of the places, the likeliest first, with most of its images."""
    found = read_annotations(path, '')
    names = [i['file_name'] for i in found.usable('images') if i.get('file_name')]
    return found, max(places, key=lambda place: sum((place / name).is_file() for name in names))


def _is_coco(path: Path) -> bool:
    """Whether a file is, or should be, COCO annotations of boxes; one that is cut counts."""
    try:
        content = json.loads(read_file(path))
    except (OSError, ValueError, RecursionError):
        return path.parent.name == 'annotations'
    return isinstance(content, dict) and {'images', 'categories'} <= content.keys()


def _voc(root: Path) -> Iterator[Part]:
    for folder in sorted(root.iterdir()):
        if not folder.is_dir() or folder.name.lower() not in XML_FOLDERS:
            continue
        names = _stems(folder, ('.xml',))
        if not names:
            continue
        images = next((root / f for f in IMAGE_FOLDERS if names & _stems(root / f, SUFFIXES)), root)
        lists = {split: root / MAIN / f'{split}.txt' for split in NAMES}
        ids = {s: list_of_ids(path, Findings()) for s, path in lists.items() if path.is_file()}
        for split, own in (ids or {'': sorted(names)}).items():
            yield Part(split, folder, partial(_read_voc, own, folder, images))


def _side_by_side(root: Path) -> Iterator[Part]:
    for folder in folders(root, 1):
        names = _stems(folder, ('.xml',))
        if names & _stems(folder, SUFFIXES):
            split = '' if folder == root else split_of(folder.name)
            yield Part(split, folder, partial(_read_voc, sorted(names), folder, folder))


def _read_voc(ids: list[str], folder: Path, images: Path) -> tuple[Annotations, Path]:
    return read_ids(ids, folder, '.', images, Findings()), images


def _yolo(root: Path) -> Iterator[Part]:
    """Labels in labels/ for images in images/, or beside them where a file names the classes."""
    names = find_names(folders(root))
    parts: dict[str, list[tuple[str, Path | None]]] = {}
    for folder in folders(root, 3):
        way = folder.relative_to(root).parts
        texts = _label_folder(root, way)
        labelled = _stems(texts, ('.txt',))
        images = {n: Path(n).stem for n in os.listdir(folder) if Path(n).suffix.lower() in SUFFIXES}
        if not labelled & set(images.values()) or (texts == folder and names is None):
            continue
        parts.setdefault(next(filter(None, map(split_of, way)), ''), []).extend(
            (Path(*way, name).as_posix(), texts / f'{stem}.txt' if stem in labelled else None)
            for name, stem in sorted(images.items())
        )
    for split, labels in parts.items():
        yield Part(split, names or root, partial(_read_yolo, root, labels, names))


def _label_folder(root: Path, way: tuple[str, ...]) -> Path:
    """That of the images in a folder: its way with the last images/ as labels/, if it is there."""
    if 'images' in way:
        last = len(way) - 1 - way[::-1].index('images')
        labels = root.joinpath(*way[:last], 'labels', *way[last + 1 :])
        if labels.is_dir():
            return labels
    return root.joinpath(*way)


def _read_yolo(root: Path, labels: list, names: Path | None) -> tuple[Annotations, Path]:
    return read_yolo(root, labels, names), root


def _stems(folder: Path, suffixes: tuple[str, ...]) -> set[str]:
    names = os.listdir(folder) if folder.is_dir() else ()
    return {Path(n).stem for n in names if Path(n).suffix.lower() in suffixes}


LAYOUTS = {
    'roboflow': Layout('train/, valid/, test/, each with _annotations.coco.json', _roboflow),
    'coco': Layout('annotations/*.json or *.json, and images/ or a folder of each split', _coco),
    'voc': Layout('Annotations/*.xml, JPEGImages/ or images/, ImageSets/Main/*.txt', _voc),
    'labelimg': Layout('images and .xml side by side, also in train/, valid/, test/',
                       _side_by_side),
    'yolo': Layout('data.yaml or classes.txt, .txt in labels/ for images/ or beside them', _yolo),
}  # fmt: skip
"""Name -> row. Roboflow's VOC export is of `labelimg`, CVAT's of `coco`, `voc` or `yolo`."""


def find_parts(root: Path, layout: str | None = None) -> tuple[str, list[Part]]:
    """The layout of a folder, and its parts.

    Args:
        root: The folder.
        layout: A key of LAYOUTS, for a folder that has several.

    Raises:
        DataError: If there is no folder, no annotations, or several layouts; says what was looked
            for.
    """
    shapes = '; '.join(f'{name}: {row.shape}' for name, row in LAYOUTS.items())
    if layout is not None and layout not in LAYOUTS:
        raise DataError(f'layout {layout!r} is not known; there are {shapes}')
    if not root.is_dir():
        raise DataError(
            f'{root}: no such folder; say where images and annotations are by --cfg-options '
            f'data_root=DIR. Looked for: {shapes}'
        )
    rows = LAYOUTS if layout is None else {layout: LAYOUTS[layout]}
    found = {name: parts for name, row in rows.items() if (parts := list(row.find(root)))}
    if not found:
        raise DataError(f'{root}: no annotations in it; looked for {shapes}')
    if len(found) > 1:
        where = ', '.join(f'{name} ({parts[0].annotations})' for name, parts in found.items())
        raise DataError(
            f'{root}: annotations of several layouts: {where}; take one by --cfg-options '
            'own_photos.layout=NAME'
        )
    return next(iter(found.items()))

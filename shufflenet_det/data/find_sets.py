"""Finds the annotations of a folder of images, laid out as labelling tools export them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .annotations import DataError
from .faults import Findings
from .files import read_file
from .voc import SUFFIXES, list_of_ids

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
        annotations: A COCO file, or the folder of XML files.
        images: Folder of the images; None where each name has to be looked for.
        ids: Names of the XML files without suffix; None for COCO.
    """

    split: str
    annotations: Path
    images: Path | None = None
    ids: tuple[str, ...] | None = None


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
            yield Part('' if folder == root else split_of(folder.name), folder / ROBOFLOW, folder)


def _coco(root: Path) -> Iterator[Part]:
    for folder in (root, root / 'annotations'):
        for path in sorted(folder.glob('*.json')):
            if path.name != ROBOFLOW and _is_coco(path):
                yield Part(split_of(path.stem), path)


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
            yield Part(split, folder, images, tuple(own))


def _side_by_side(root: Path) -> Iterator[Part]:
    for folder in folders(root, 1):
        names = _stems(folder, ('.xml',))
        if names & _stems(folder, SUFFIXES):
            split = '' if folder == root else split_of(folder.name)
            yield Part(split, folder, folder, tuple(sorted(names)))


def _stems(folder: Path, suffixes: tuple[str, ...]) -> set[str]:
    names = os.listdir(folder) if folder.is_dir() else ()
    return {Path(n).stem for n in names if Path(n).suffix.lower() in suffixes}


LAYOUTS = {
    'roboflow': Layout('train/, valid/, test/, each with _annotations.coco.json', _roboflow),
    'coco': Layout('annotations/*.json or *.json, and images/ or a folder of each split', _coco),
    'voc': Layout('Annotations/*.xml, JPEGImages/ or images/, ImageSets/Main/*.txt', _voc),
    'labelimg': Layout('images and .xml side by side, also in train/, valid/, test/',
                       _side_by_side),
}  # fmt: skip
"""Name -> row. Roboflow's VOC export is of `labelimg`, CVAT's of `coco` or `voc`."""


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

"""Finds the annotations of a folder of images, laid out as labelling tools export them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .annotations import Annotations, DataError
from .check import read_annotations
from .faults import Findings
from .files import names_in, read_file
from .voc import SUFFIXES, list_of_ids, read_ids
from .yolo import find_names, holds_labels, read_yolo

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
    """A folder and those in it, those apart that `names_in` leaves out, in order."""
    yield root
    for name in names_in(root) if depth else ():
        if (root / name).is_dir():
            yield from folders(root / name, depth - 1)


def _roboflow(root: Path) -> Iterator[Part]:
    for folder in folders(root, 1):
        if (folder / ROBOFLOW).is_file():
            split = '' if folder == root else split_of(folder.name)
            path = folder / ROBOFLOW
            yield Part(split, path, partial(_read_coco, path, [folder]))


def _coco(root: Path) -> Iterator[Part]:
    for folder in folders(root, 1):
        for name in names_in(folder):
            path = folder / name
            if path.suffix.lower() == '.json' and name != ROBOFLOW and _is_coco(path):
                split = split_of(path.stem) or _split_below(root, folder)
                places = [f for f in folders(root) if split and _split_below(root, f) == split]
                places += [*folders(folder), *folders(root)]
                yield Part(split, path, partial(_read_coco, path, places))


def _split_below(root: Path, folder: Path) -> str:
    """The split that a folder is of by its way from the root, whose last word counts."""
    return next(filter(None, map(split_of, reversed(folder.relative_to(root).parts))), '')


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
        for split, own in (_lists(root / MAIN) or {'': sorted(names)}).items():
            yield Part(split, folder, partial(_read_voc, own, folder, images))


def _lists(folder: Path) -> dict[str, list[str]]:
    """Split -> its ids; those of trainval.txt are of none, where no list is of train alone."""
    paths = {split: folder / f'{name}.txt' for split, names in NAMES.items() for name in names
             if (folder / f'{name}.txt').is_file()}  # fmt: skip
    if 'train' not in paths and (folder / 'trainval.txt').is_file():
        paths[''] = folder / 'trainval.txt'
    return {split: list_of_ids(path, Findings()) for split, path in paths.items()}


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
    places = {folder: _label_folder(root, folder) for folder in folders(root, 3)}
    apart = {texts for folder, texts in places.items() if texts != folder}
    parts: dict[str, list[tuple[str, Path | None]]] = {}
    for folder, texts in places.items():
        if folder not in apart and (names or texts != folder):
            labels = _label_files(root, folder, texts)
            if any(path for _, path in labels):
                parts.setdefault(_split_below(root, folder), []).extend(labels)
    for split, labels in parts.items():
        where = names[0] if names else root
        yield Part(split, where, partial(_read_yolo, root, labels, names))


def _label_files(root: Path, folder: Path, texts: Path) -> list[tuple[str, Path | None]]:
    """Each image of a folder, or where it is missing, its path without suffix; and its labels."""
    paths = {Path(n).stem: texts / n for n in names_in(texts) if Path(n).suffix.lower() == '.txt'}
    images = {n: Path(n).stem for n in names_in(folder) if Path(n).suffix.lower() in SUFFIXES}
    alone = paths.keys() - set(images.values())
    images |= {stem: stem for stem in alone if holds_labels(paths[stem])}
    way = folder.relative_to(root)
    return [((way / n).as_posix(), paths.get(stem)) for n, stem in sorted(images.items())]


def _label_folder(root: Path, folder: Path) -> Path:
    """That of the images in a folder: its way with the last images/ as labels/, if it is there."""
    way = folder.relative_to(root).parts
    last = max((i for i, name in enumerate(way) if name.lower() == 'images'), default=None)
    if last is None:
        return folder
    above = root.joinpath(*way[:last])
    labels = (above / name for name in names_in(above) if name.lower() == 'labels')
    return next(filter(Path.is_dir, (path.joinpath(*way[last + 1 :]) for path in labels)), folder)


def _read_yolo(root: Path, labels: list, names: list[Path]) -> tuple[Annotations, Path]:
    return read_yolo(root, labels, names), root


def _stems(folder: Path, suffixes: tuple[str, ...]) -> set[str]:
    return {Path(n).stem for n in names_in(folder) if Path(n).suffix.lower() in suffixes}


LAYOUTS = {
    'roboflow': Layout('train/, valid/, test/, each with _annotations.coco.json', _roboflow),
    'coco': Layout('*.json, also in a folder below, and images/ or a folder of each split', _coco),
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
        deeper = (
            f for f in folders(root) for row in rows.values() if f != root and any(row.find(f))
        )
        below = next((f', but in {folder}, which can be given' for folder in deeper), '')
        raise DataError(f'{root}: no annotations in it{below}; looked for {shapes}')
    if len(found) > 1:
        where = ', '.join(f'{name} ({parts[0].annotations})' for name, parts in found.items())
        raise DataError(
            f'{root}: annotations of several layouts: {where}; take one by --cfg-options '
            'own_photos.layout=NAME'
        )
    return next(iter(found.items()))

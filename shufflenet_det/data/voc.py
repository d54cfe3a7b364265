"""Pascal VOC sets, read as COCO content.

Layout: Annotations/ID.xml, JPEGImages/ID.jpg, ImageSets/Main/SPLIT.txt with one ID a line.
"""

from __future__ import annotations

import codecs
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .annotations import Annotations, DataError
from .faults import Findings
from .files import read_file
from .pixels import read_image
from .reader import annotations_of, leaves
from .values import class_name, is_finite, number, whole

ANNOTATIONS = 'Annotations'
CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
"""Of images, in any case; the first that is there is taken."""


def read_voc(
    ann_file: str | Path, annotation_dir: str | Path, image_subdir: str = 'JPEGImages',
    root: str | Path | None = None,
) -> Annotations:  # fmt: skip
    """Images, annotations and categories of a split as those of a COCO file.

    Boxes are as MMDetection's XMLDataset trains on them: x, y, width, height in px with
    x = xmin - 1 and width = xmax - xmin. Difficult objects are iscrowd. File names are relative to
    ``root``; categories are the names in the files, in their order.

    Args:
        ann_file, annotation_dir: The list of ids, and the folder of the XML files.
        image_subdir: Folder of the images, in ``root``.
        root: Where images of other suffixes than .jpg are looked for; the parent of
            ``annotation_dir`` where none is given.

    Raises:
        DataError: Naming the file that is missing, no XML, or lacks a field.
    """
    notes = Findings()
    folder = Path(annotation_dir).parent if root is None else Path(root)
    return read_ids(list_of_ids(Path(ann_file), notes), annotation_dir, image_subdir, folder, notes)


def read_ids(
    ids: Iterable[str], annotation_dir: str | Path, image_subdir: str, folder: Path,
    notes: Findings | None = None,
) -> Annotations:  # fmt: skip
    """What :func:`read_voc` gives, of ids that stand in no file; images are in ``folder``.

    Raises:
        DataError: As :func:`read_voc`.
    """
    raw = dict(images=[], annotations=[], categories=[])
    notes, names = Findings() if notes is None else notes, {}
    files = _image_files(folder, image_subdir)
    for name in ids:
        path = Path(annotation_dir, f'{name}.xml')
        try:
            tree = ET.fromstring(read_file(path))
            raw['images'].append(dict(id=name, **_image(tree, folder, files(name, notes), notes)))
            objects = [_object(node, path, notes) for node in tree.iter('object')]
        except (OSError, ET.ParseError, ValueError, LookupError) as error:
            cause = getattr(error, 'strerror', None) or error
            raise DataError(f'{path}: no Pascal VOC annotation ({cause}); correct it') from error
        for label, fields in objects:
            category = names.setdefault(label, len(names) + 1)
            keys = dict(id=len(raw['annotations']) + 1, image_id=name, category_id=category)
            raw['annotations'].append(dict(fields, **keys))
    raw['categories'] = [dict(id=index, name=name) for name, index in names.items()]
    found = annotations_of(raw)
    found.readings.update(notes.readings)
    return found


def list_of_ids(path: Path, notes: Findings) -> list[str]:
    """The lines of a list, in UTF-8 or UTF-16, without blank ones."""
    try:
        content = read_file(path)
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        lines = content.decode('utf-16' if wide else 'utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, 'strerror', None) or f'no UTF-8 ({error})'
        raise DataError(f'{path}: {cause}; give a list of ids, one a line') from error
    ids = [line.strip() for line in lines if line.strip()]
    if len(ids) < len(lines):
        notes.read('blank lines', str(path), len(lines) - len(ids))
    outside = [name for name in ids if '\0' in name or leaves(name, None)]
    if outside:
        raise DataError(
            f'{path}: the ids {outside[:10]} lead out of the folder; an id is the name of an '
            'image without its suffix'
        )
    return ids


def _image_files(folder: Path, subdir: str):
    """What gives the image of an id, relative to a folder, by its names in any case."""

    @cache
    def listing(parent: Path) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in sorted(os.listdir(parent)) if parent.is_dir() else ():
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in SUFFIXES:
                found.setdefault(stem, []).append(suffix)
        return found

    def image_of(name: str, notes: Findings) -> str:
        path = Path(subdir, name)
        suffixes = listing((folder / path).parent).get(path.name, [])
        if '.jpg' in suffixes or not suffixes:
            return f'{subdir}/{name}.jpg'
        notes.read('other suffixes', name)
        best = min(suffixes, key=lambda suffix: SUFFIXES.index(suffix.lower()))
        return f'{subdir}/{name}{best}'

    return image_of


def _image(tree: ET.Element, folder: Path, file_name: str, notes: Findings) -> dict:
    width, height = _size(tree, folder / file_name, notes)
    return dict(file_name=file_name, width=width, height=height)


def _size(tree: ET.Element, image: Path, notes: Findings) -> tuple[object, object]:
    """Width and height as they stand there, or of the image where nothing does."""
    texts = [(tree.findtext(f'size/{side}') or '').strip() for side in ('width', 'height')]
    if any(not text or whole(text) == 0 for text in texts) and image.is_file():
        notes.read('no size', str(image))
        return read_image(image).shape[1::-1]
    given = [_text(tree, f'size/{side}') for side in ('width', 'height')]
    return tuple(text if whole(text) is None else whole(text) for text in given)


def _text(node: ET.Element, field: str) -> str:
    text = node.findtext(field)
    if text is None:
        raise ValueError(f'<{field}> is missing in <{node.tag}>')
    return text.strip()


def _object(node: ET.Element, path: Path, notes: Findings) -> tuple[str, dict]:
    """Name of an object, and its fields as of a COCO annotation."""
    x1, y1, x2, y2 = (_corner(node, corner) for corner in CORNERS)
    difficult = node.findtext('difficult')
    if difficult is not None and not difficult.strip():
        notes.read('no difficult', str(path))
    iscrowd = whole(difficult.strip()) if difficult and difficult.strip() else 0
    if iscrowd not in (0, 1):
        raise ValueError(f'<difficult> is {difficult.strip()!r:.40}, not 0 or 1')
    box = [x1 - 1, y1 - 1, x2 - x1, y2 - y1]
    return class_name(_text(node, 'name')), dict(
        bbox=box, area=abs(box[2] * box[3]), iscrowd=iscrowd
    )


def _corner(node: ET.Element, corner: str) -> float:
    """A coordinate, cut to an integer as XMLDataset does where it is finite."""
    text = _text(node, f'bndbox/{corner}')
    value = number(text)
    if value is None:
        raise ValueError(f'<{corner}> is {text!r:.40}, no number')
    return int(value) if is_finite(value) else value

"""Finds every fault of a COCO or Pascal VOC set in one pass; needs neither mmdet nor a model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from .annotations import Annotations, DataError
from .faults import Fault
from .files import read_file
from .pixels import read_image
from .reader import annotations_of
from .values import class_name
from .voc import ANNOTATIONS, read_voc

PACKED = (b'\x1f\x8b', b'PK\x03\x04', b'BZh', b'\xfd7zXZ', b'\x28\xb5\x2f\xfd')
"""How files of gzip, zip, bzip2, xz and zstd begin."""

FEW_IMAGES = 256
"""As many are decoded in less time than it takes to start more processes."""


def read_annotations(path: str | Path, root: str | Path | None = None) -> Annotations:
    """What a COCO annotation file holds, in UTF-8, UTF-16 or UTF-32.

    Args:
        path: The file.
        root: Folder of the images, as for `annotations_of`.

    Raises:
        DataError: Naming path and cause, if it is missing, cut, or no COCO file.
    """
    try:
        raw = read_file(path)
    except (OSError, ValueError) as error:
        cause = getattr(error, 'strerror', None) or error
        raise DataError(f'{path}: {cause}; give the path of a COCO annotation file') from error
    try:
        content = json.loads(raw, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        remedy = (
            'compressed: unpack it' if raw.startswith(PACKED) else 'correct it, or copy it again'
        )
        raise DataError(
            f'{path}: cannot be read as JSON ({error}); {len(raw)} bytes, {remedy}'
        ) from error
    lists = content if isinstance(content, dict) else {}
    missing = [name for name in ('images', 'categories') if not isinstance(lists.get(name), list)]
    if not isinstance(lists.get('annotations', []), list | None):
        missing.append('annotations')
    if missing:
        raise DataError(f'{path}: no COCO annotation file, the lists {missing} are not in it')
    return annotations_of(content, None if root is None else str(root))


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; of a key with two values, Python takes the last without a word."""
    content = dict(pairs)
    if len(content) < len(pairs):
        for key, value in pairs:
            if content[key] is not value and content[key] != value:
                raise ValueError(f'the key {key!r} stands twice in one object, with other values')
    return content


def read_set(path: str | Path, root: str | Path) -> tuple[Annotations, Path]:
    """What an annotation file holds, and the folder that its images' names are relative to.

    Args:
        path: COCO JSON, or a Pascal VOC list of ids that ends in .txt.
        root: Folder of the images; of Pascal VOC, that or the folder that holds it.

    Raises:
        DataError: If the annotations cannot be read, or the folder is not there.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f'{root}: no such folder; give that of the images')
    if Path(path).suffix.lower() != '.txt':
        return read_annotations(path, root), root
    subdir = 'JPEGImages' if (root / ANNOTATIONS).is_dir() else root.name
    folder = root if (root / ANNOTATIONS).is_dir() else root.parent
    return read_voc(path, folder / ANNOTATIONS, subdir), folder


def size_of(root: Path, image: Mapping) -> tuple[int, int] | None:
    """Width and height of the file of an image, upright; None where it cannot be read."""
    try:
        return read_image(os.path.join(root, image['file_name'])).shape[1::-1]
    except (OSError, ValueError):
        return None


def check_classes(found: Annotations, classes: Sequence[str]) -> list[Fault]:
    """The class names of a config that are not among the categories."""
    names = list(found.objects)
    return [
        Fault('class not in the file', 'categories', None, detail=f'{name!r}, the file has {names}')
        for name in classes
        if class_name(name) not in names
    ]


def check_images(images: Sequence, image_root: str | Path) -> list[Fault]:
    """The faults of image files: every one of the entries is decoded."""
    check, images = partial(_check_image, image_root), list(enumerate(images))
    if len(images) <= FEW_IMAGES:
        return [fault for fault in map(check, images) if fault]
    with ProcessPoolExecutor() as pool:
        return [fault for fault in pool.map(check, images, chunksize=32) if fault]


def _check_image(image_root: str | Path, numbered: tuple[int, object]) -> Fault | None:
    index, image = numbered
    if not isinstance(image, Mapping) or not isinstance(image.get('file_name'), str):
        return None  # read_annotations reports it
    path = os.path.join(image_root, image['file_name'])  # as the data sets do
    try:
        height, width = read_image(path).shape[:2]
    except (OSError, ValueError) as error:
        detail = str(error).removeprefix(f'{path}: ').partition('; ')[0]
        return Fault.of('unreadable image', 'images', index, image, detail, path)
    given = image.get('width'), image.get('height')
    if all(type(side) is int for side in given) and (width, height) != given:
        detail = f'{width}x{height} pixels, {given[0]}x{given[1]} in the file'
        return Fault.of('other image size', 'images', index, image, detail, path)
    return None

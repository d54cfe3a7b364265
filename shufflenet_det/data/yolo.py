"""Labels in YOLO's format, read as COCO content.

A text file for each image, one line for each object: its class, then fractions of the image, either
centre x, centre y, width, height or the corners of a polygon. The names of the classes stand in
another file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml

from .annotations import Annotations, DataError
from .files import read_file
from .pixels import read_image
from .reader import annotations_of
from .values import class_name, is_finite, number, whole

YAML = ('.yaml', '.yml')
NAMES = ('data.yaml', 'dataset.yaml', '*.yaml', '*.yml', '*classes.txt', '*.names')
"""Files with the names of classes, the likeliest first."""
LINE = 'a line is CLASS X Y WIDTH HEIGHT or CLASS X1 Y1 X2 Y2 X3 Y3 ..., fractions of the image'
OUTSIDE = 0.01
"""Of the image, by which rounding may carry a coordinate out of it."""


def read_yolo(
    root: str | Path, labels: Sequence[tuple[str, Path | None]], names_file: Path | None
) -> Annotations:
    """Images, annotations and categories as those of a COCO file; polygons become their boxes.

    Args:
        root: Folder of the set.
        labels: Path of each image below ``root``, and its label file. An image without one is left
            out; one whose file is empty has no object.
        names_file: YAML with the key ``names``, or a text file with one name a line.

    Raises:
        DataError: Naming the file, and the line, that is missing or cannot be read.
    """
    names = read_names(names_file, root)
    raw = dict(images=[], annotations=[], categories=[])
    raw['categories'] = [dict(id=label, name=name) for label, name in names.items()]
    for file, path in labels:
        if path is None:
            continue
        width, height = _size(Path(root, file))
        image_id = len(raw['images']) + 1
        raw['images'].append(dict(id=image_id, file_name=file, width=width, height=height))
        for label, (x1, y1, x2, y2) in _objects(path, names):
            box = [x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height]
            raw['annotations'].append(dict(
                id=len(raw['annotations']) + 1, image_id=image_id, category_id=label, bbox=box,
                area=box[2] * box[3], iscrowd=0,
            ))  # fmt: skip
    found = annotations_of(raw)
    without = [file for file, path in labels if path is None]
    if without:
        found.read('no label file', without[0], len(without))
    return found


def find_names(folders: Iterable[Path]) -> Path | None:
    """The likeliest file with the names of classes; None where there is none."""
    folders = list(folders)
    found = (path for name in NAMES for folder in folders for path in sorted(folder.glob(name)))
    return next((path for path in found if path.suffix not in YAML or _speaks_of_names(path)), None)


def _speaks_of_names(path: Path) -> bool:
    return bool(re.search(rb'^\s*["\']?names["\']?\s*:', read_file(path), re.MULTILINE))


def read_names(path: Path | None, root: str | Path) -> dict[int, str]:
    """Label -> name of the class.

    Raises:
        DataError: Naming the file that is missing, cannot be read or has no names.
    """
    if path is None:
        raise DataError(
            f'{root}: labels without names of their classes; put data.yaml (names: [cat, dog]) or '
            'classes.txt (one name a line) beside them'
        )
    try:
        text = read_file(path).decode('utf-8-sig')
        names = _yaml_names(text) if path.suffix.lower() in YAML else text.strip().splitlines()
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f'{path}: no names of classes ({" ".join(str(error).split())})') from error
    if not isinstance(names, dict):
        names = dict(enumerate(names))
    wrong = [f'{key}: {name!r}' for key, name in names.items() if not _is_row(key, name)]
    if wrong or not names:
        raise DataError(f'{path}: names must give text for each label 0, 1, ..., got {wrong[:10]}')
    return {label: class_name(name) for label, name in names.items()}


def _is_row(key: object, name: object) -> bool:
    return type(key) is int and isinstance(name, str) and bool(name.strip())


def _yaml_names(text: str) -> dict | list:
    content = yaml.safe_load(text)
    names = content.get('names') if isinstance(content, dict) else None
    if not isinstance(names, dict | list):
        raise ValueError('names must be a list, or a mapping from label to name')
    return names


def _size(image: Path) -> tuple[int, int]:
    try:
        return read_image(image).shape[1::-1]
    except (OSError, ValueError) as error:
        raise DataError(str(error)) from error


def _objects(path: Path, names: dict[int, str]) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Label of each object, and its left, upper, right and lower edge as fractions."""
    try:
        lines = read_file(path).decode('utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: {getattr(error, "strerror", None) or error}; {LINE}') from error
    for index, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _object(line, names)
            except ValueError as error:
                raise DataError(f'{path}, line {index}: {line.strip()!r:.80}: {error}') from error


def _object(line: str, names: dict[int, str]) -> tuple[int, tuple[float, ...]]:
    label, *values = map(number, line.split())
    polygon = len(values) >= 6 and len(values) % 2 == 0
    if not (polygon or len(values) == 4) or not all(map(is_finite, (label, *values))):
        raise ValueError(LINE)
    if whole(label) not in names:
        raise ValueError(f'no class {label:g}, there are {dict(list(names.items())[:10])}')
    xs, ys = values[::2], values[1::2]
    if not polygon:
        (x, width), (y, height) = xs, ys
        xs, ys = (x - width / 2, x + width / 2), (y - height / 2, y + height / 2)
    edges = min(xs), min(ys), max(xs), max(ys)
    if not all(-OUTSIDE <= edge <= 1 + OUTSIDE for edge in edges):
        raise ValueError(f'leaves the image: {LINE}, not pixels')
    return int(label), edges

"""Labels in YOLO's format, read as COCO content.

A text file for each image, one line for each object: its class, then fractions of the image, either
centre x, centre y, width, height or the corners of a polygon. The names of the classes stand in
another file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import yaml

from .annotations import Annotations, DataError
from .files import names_in, read_file
from .pixels import read_image
from .reader import annotations_of
from .values import class_name, is_finite, number, whole
from .voc import SUFFIXES

YAML = ('.yaml', '.yml')
NAMES = ('data.yaml', 'dataset.yaml', '*.yaml', '*.yml', '*classes.txt', '*.names', '*.labels')
"""Files with the names of classes, the likeliest first."""
LINE = 'a line is CLASS X Y WIDTH HEIGHT or CLASS X1 Y1 X2 Y2 X3 Y3 ..., fractions of the image'
OUTSIDE = 0.01
"""Of the image, by which rounding may carry a coordinate out of it."""


def read_yolo(
    root: str | Path, labels: Sequence[tuple[str, Path | None]], names_files: Sequence[Path]
) -> Annotations:
    """Images, annotations and categories as those of a COCO file; polygons become their boxes.

    Args:
        root: Folder of the set.
        labels: Path of each image below ``root``, and its label file. An image without one is left
            out; one whose file is empty has no object.
        names_files: YAML with the key ``names``, or text files with one name a line.

    Raises:
        DataError: Naming the file, and the line, that is missing or cannot be read.
    """
    _refuse_missing(root, labels)
    names = read_names(names_files, root)
    posed = any(path.suffix.lower() in YAML and _has_key('kpt_shape', path) for path in names_files)
    raw = dict(images=[], annotations=[], categories=[])
    raw['categories'] = [dict(id=label, name=name) for label, name in names.items()]
    for file, path in labels:
        if path is None:
            continue
        width, height = _size(Path(root, file))
        image_id = len(raw['images']) + 1
        raw['images'].append(dict(id=image_id, file_name=file, width=width, height=height))
        for label, (x1, y1, x2, y2) in _objects(path, names, posed):
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


def _refuse_missing(root: str | Path, labels: Sequence[tuple[str, Path | None]]) -> None:
    missing = [(file, path) for file, path in labels if path and not Path(root, file).is_file()]
    if missing:
        file, path = missing[0]
        raise DataError(
            f'{root}: images of {len(missing)} label files are missing; for {path} it is {file} '
            f'with {", ".join(SUFFIXES)}. Put them there, or take the label files away'
        )


def holds_labels(path: Path) -> bool:
    """Whether the first line of a file is one of a label file."""
    words = read_file(path).decode('latin-1').partition('\n')[0].split() if path.is_file() else ()
    return len(words) > 4 and all(number(word) is not None for word in words)


def find_names(folders: Iterable[Path]) -> list[Path]:
    """Files with the names of classes: the likeliest, then those of its name in other folders."""
    folders = list(folders)
    for pattern in NAMES:
        found = [folder / n for folder in folders for n in names_in(folder)
                 if fnmatch(n.lower(), pattern) and _has_names(folder / n)]  # fmt: skip
        if found:
            return [path for path in found if path.name == found[0].name]
    return []


def _has_names(path: Path) -> bool:
    return path.suffix.lower() not in YAML or _has_key('names', path)


def _has_key(key: str, path: Path) -> bool:
    return bool(re.search(rf'^\s*["\']?{key}["\']?\s*:'.encode(), read_file(path), re.MULTILINE))


def read_names(paths: Sequence[Path], root: str | Path) -> dict[int, str]:
    """Label -> name of the class.

    Raises:
        DataError: Naming the file that is missing, cannot be read, has no names, or others.
    """
    if not paths:
        raise DataError(
            f'{root}: labels without names of their classes; put data.yaml (names: [cat, dog]) or '
            'classes.txt (one name a line) beside them'
        )
    names: dict[int, str] = {}
    for path in paths:
        for label, name in _names_in(path).items():
            if names.setdefault(label, name) != name:
                raise DataError(
                    f'{path}: class {label} is {name!r}, but {names[label]!r} in {paths[0]}; '
                    'number the labels in one way, and keep one of these files'
                )
    return names


def _names_in(path: Path) -> dict[int, str]:
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


def _objects(
    path: Path, names: dict[int, str], posed: bool
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Label of each object, and its left, upper, right and lower edge as fractions.

    Args:
        posed: Whether keypoints follow each box.
    """
    try:
        lines = read_file(path).decode('utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: {getattr(error, "strerror", None) or error}; {LINE}') from error
    for index, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _object(line.split()[: 5 if posed else None], names)
            except ValueError as error:
                raise DataError(f'{path}, line {index}: {line.strip()!r:.80}: {error}') from error


def _object(words: Sequence[str], names: dict[int, str]) -> tuple[int, tuple[float, ...]]:
    label, *values = map(number, words)
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

"""Finds every fault of a COCO-format data set in one pass; needs neither mmdet nor a model."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from .faults import LARGEST, SECTIONS, Fault
from .pixels import read_image

FEW_IMAGES = 256
"""As many are decoded in less time than it takes to start more processes."""


def read_annotations(path: str | Path) -> dict:
    """The content of a COCO annotation file.

    Raises:
        ValueError: Naming path and cause, if it is missing, cut, or no COCO file.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        cause = getattr(error, 'strerror', None) or error
        raise ValueError(
            f'{path}: cannot be read as JSON ({cause}); {path.stat().st_size} bytes, copy it again'
            if path.is_file()
            else f'{path}: {cause}; give the path of a COCO annotation file'
        ) from error
    missing = [
        name
        for name in SECTIONS
        if not isinstance(content, dict) or not isinstance(content.get(name), list)
    ]
    if missing:
        raise ValueError(f'{path}: no COCO annotation file, the lists {missing} are not in it')
    return content


def check_annotations(content: Mapping[str, Sequence]) -> list[Fault]:
    """Every fault that the annotation file alone shows."""
    faults = []
    valid = {name: list(_valid_entries(name, content[name], faults)) for name in SECTIONS}
    images = {i['id']: i for i in content['images'] if _is_object_with_id(i)}
    names = {}
    for index, image in valid['images']:
        if not all(_is_count(image[side]) for side in ('width', 'height')):
            detail = f'width {image["width"]!r}, height {image["height"]!r}'
            faults.append(_fault('bad size', 'images', index, image, detail))
    for index, category in valid['categories']:
        if category['name'] in names:
            detail = f'{category["name"]!r} is also category {names[category["name"]]}'
            faults.append(_fault('duplicate name', 'categories', index, category, detail))
        names.setdefault(category['name'], category['id'])
    categories = {category['id'] for _, category in valid['categories']}
    for index, annotation in valid['annotations']:
        for kind, detail in _annotation_faults(annotation, images, categories):
            file = images.get(annotation['image_id'], {}).get('file_name', '')
            faults.append(_fault(kind, 'annotations', index, annotation, detail, str(file)))
    return faults


def _valid_entries(
    section: str, entries: Sequence, faults: list[Fault]
) -> Iterator[tuple[int, Mapping]]:
    seen = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            faults.append(Fault('not an object', section, index, detail=repr(entry)[:60]))
            continue
        missing = [field for field in SECTIONS[section] if field not in entry]
        bad_key = [k for k in ('id', 'image_id', 'category_id') if not _is_id(entry.get(k, 0))]
        bad_key += [k for k in ('name', 'file_name') if not isinstance(entry.get(k, ''), str)]
        if missing or bad_key:
            detail = f'missing {missing}' if missing else f'wrong type of {bad_key}'
            faults.append(_fault('missing field', section, index, entry, detail))
            continue
        if entry['id'] in seen:
            detail = f'id {entry["id"]!r} of {section}[{seen[entry["id"]]}] again'
            faults.append(_fault('duplicate id', section, index, entry, detail))
            continue
        seen[entry['id']] = index
        yield index, entry


def _annotation_faults(
    annotation: Mapping, images: Mapping, categories: set
) -> Iterator[tuple[str, str]]:
    if annotation['category_id'] not in categories:
        yield (
            'unknown category',
            f'{annotation["category_id"]!r}, known {sorted(categories, key=repr)[:10]}',
        )
    image = images.get(annotation['image_id'])
    if image is None:
        yield 'unknown image', f'image_id {annotation["image_id"]!r}'
    bbox, area = annotation['bbox'], annotation['area']
    if not isinstance(bbox, (list, tuple)) or len(bbox) != 4 or not all(map(_is_number, bbox)):
        yield 'bad bbox', f'bbox {bbox!r}'[:80]
        return
    if not all(math.isfinite(v) and abs(v) <= LARGEST for v in bbox):
        yield 'box not finite', f'bbox {bbox}'
        return
    if not _is_number(area) or not math.isfinite(area):
        yield 'bad area', f'area {area!r}'
        return
    x, y, width, height = bbox
    if width <= 0 or height <= 0 or area <= 0:
        yield 'empty box', f'bbox {bbox}, area {area}'
    elif width < 1 or height < 1:
        yield 'sub-pixel box', f'bbox {bbox}'
    elif image and _is_count(image.get('width')) and _is_count(image.get('height')):
        if x >= image['width'] or y >= image['height'] or x + width <= 0 or y + height <= 0:
            yield 'box outside', f'bbox {bbox} in {image["width"]}x{image["height"]}'


def check_classes(content: Mapping[str, Sequence], classes: Sequence[str]) -> list[Fault]:
    """The class names of a config that are not among the categories."""
    names = [c['name'] for c in content['categories'] if isinstance(c, Mapping) and 'name' in c]
    return [
        Fault('class not in the file', 'categories', None, detail=f'{name!r}, the file has {names}')
        for name in classes
        if name not in names
    ]


def check_images(content: Mapping, image_root: str | Path) -> list[Fault]:
    """Decode every image; those that cannot be read, and those of another size."""
    check, images = partial(_check_image, image_root), list(enumerate(content['images']))
    if len(images) <= FEW_IMAGES:
        return [fault for fault in map(check, images) if fault]
    with ProcessPoolExecutor() as pool:
        return [fault for fault in pool.map(check, images, chunksize=32) if fault]


def _check_image(image_root: str | Path, numbered: tuple[int, object]) -> Fault | None:
    index, image = numbered
    if not isinstance(image, Mapping) or not isinstance(image.get('file_name'), str):
        return None  # check_annotations reports it
    path = str(Path(image_root, image['file_name']))
    try:
        height, width = read_image(path).shape[:2]
    except (OSError, ValueError) as error:
        detail = str(error).removeprefix(f'{path}: ').partition('; ')[0]
        return _fault('unreadable image', 'images', index, image, detail, path)
    if _is_count(image.get('width')) and (width, height) != (image['width'], image['height']):
        detail = f'{width}x{height} pixels, {image["width"]}x{image["height"]} in the file'
        return _fault('other image size', 'images', index, image, detail, path)
    return None


def _fault(
    kind: str, section: str, index: int, entry: Mapping, detail: str = '', file: str = ''
) -> Fault:
    if section == 'annotations':
        ids = (entry.get('image_id'), entry.get('id'))
    else:
        ids = (entry.get('id'), None) if section == 'images' else (None, None)
    return Fault(kind, section, index, file or str(entry.get('file_name', '')), *ids, detail)


def _is_object_with_id(value: object) -> bool:
    return isinstance(value, Mapping) and _is_id(value.get('id'))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_id(value: object) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)

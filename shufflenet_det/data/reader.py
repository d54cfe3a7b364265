"""The one reader of annotations: COCO content as training and evaluation see it.

What the format's users write is read and counted (`READINGS`), the rest is named (`KINDS`). The
check, the data sets, the metric and the tools all read through here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from .annotations import Annotations
from .boxes import References, read_annotation
from .faults import LARGEST, SECTIONS, Fault
from .values import class_name, identifier, integer_of, is_written_so, whole

LARGEST_ID = 2**53
"""pycocotools keeps ids of annotations in float64."""


def annotations_of(raw: Mapping, root: str | None = None) -> Annotations:
    """What the content of a COCO file holds.

    Args:
        raw: The lists of SECTIONS; without ``annotations`` it is a file without objects.
        root: Folder of the images; empty where none is stated, None where it is not known.
    """
    found = Annotations()
    if raw.get('annotations') is None:
        found.read('no list of annotations', 'annotations')
    found.rest = {key: value for key, value in raw.items() if key not in SECTIONS}
    found.entries = {name: list(raw.get(name) or ()) for name in SECTIONS}
    valid = {name: list(_valid_entries(found, name)) for name in SECTIONS}
    images, image_ids = _read_ids(found, 'images', valid['images'])
    categories, category_ids = _read_ids(found, 'categories', valid['categories'])
    _read_images(found, images, root)
    _read_categories(found, categories)
    by_id = {found.entries['images'][i]['id']: found.entries['images'][i] for i in images}
    references = References(by_id, image_ids, category_ids)
    _read_annotations(found, valid['annotations'], references)
    _leave_out_unused_names(found, categories)
    return found


def _valid_entries(found: Annotations, section: str) -> Iterator[tuple[int, Mapping]]:
    """Entries whose fields are there and of the right type."""
    for index, entry in enumerate(found.entries[section]):
        if not isinstance(entry, Mapping):
            detail = repr(entry)[:60]
            found.faults.append(Fault('not an object', section, index, detail=detail))
            continue
        needed = SECTIONS[section]
        missing = [key for key in needed if entry.get(key) is None]
        ids = [key for key in needed if key.endswith('id')]
        wrong = [key for key in ids if identifier(entry.get(key)) is None]
        wrong += [key for key in needed if key.endswith('name') and not _is_name(entry.get(key))]
        if missing or wrong:
            detail = f'missing {missing}' if missing else f'wrong type of {wrong}'
            found.faults.append(Fault.of('missing field', section, index, entry, detail))
            continue
        yield index, entry


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _read_ids(
    found: Annotations, section: str, valid: Sequence[tuple[int, Mapping]]
) -> tuple[list[int], dict[object, object]]:
    """Indices of the first entry of each id, and every way to write an id -> the id."""
    ids = [identifier(entry['id']) for _, entry in valid]
    texts = sum(isinstance(i, str) for i in ids)
    mixed = 0 < texts < len(ids)
    first, known = {}, {}
    for (index, entry), written in zip(valid, ids, strict=True):
        number_of_text = integer_of(written) if isinstance(written, str) else None
        own = number_of_text if mixed and number_of_text is not None else written
        if mixed and isinstance(written, str):
            detail = f'id {written!r}; {texts} of {len(ids)} ids of {section} are text'
            found.faults.append(Fault.of('mixed ids', section, index, entry, detail))
        if own in first:
            detail = f'id {written!r} of {section}[{first[own]}] again'
            found.faults.append(Fault.of('duplicate id', section, index, entry, detail))
            continue
        first[own] = index
        known[own] = known[str(own)] = own
        if number_of_text is not None:
            known.setdefault(number_of_text, own)
        _write(found, section, index, {'id': own}, 'ids')
    for entry in found.entries[section]:  # an offender is known all the same
        if isinstance(entry, Mapping) and identifier(entry.get('id')) is not None:
            known.setdefault(identifier(entry['id']), entry['id'])
    return list(first.values()), known


def _write(
    found: Annotations, section: str, index: int, values: Mapping[str, object], kind: str
) -> None:
    """Put values into an entry and note it, unless they stand there."""
    entry = found.entries[section][index]
    if not is_written_so(entry, values):
        found.read(kind, f'{section}[{index}]')
        found.entries[section][index] = {**entry, **values}


def _read_images(found: Annotations, indices: Sequence[int], root: str | None) -> None:
    images, files = found.entries['images'], {}
    for index in indices:
        image = images[index]
        sides = {side: whole(image.get(side)) for side in ('width', 'height')}
        if not all(side is not None and 1 <= side <= LARGEST for side in sides.values()):
            detail = ', '.join(f'{side} {image.get(side)!r:.40}' for side in sides)
            found.faults.append(Fault.of('bad size', 'images', index, image, detail))
        else:
            _write(found, 'images', index, sides, 'sizes')
        if not _is_name(image.get('file_name')):
            detail = f'file_name {image.get("file_name")!r:.40}'
            found.faults.append(Fault.of('no file name', 'images', index, image, detail))
            continue
        path = image['file_name'].replace('\\', '/')
        _write(found, 'images', index, {'file_name': path}, 'Windows paths')
        image = images[index]
        name = posixpath.normpath(image['file_name'])
        if name in files:
            detail = f'{name} is also image {images[files[name]]["id"]}'
            found.faults.append(Fault.of('file twice', 'images', index, image, detail))
        files.setdefault(name, index)
        if leaves(name, root):
            detail = f'{image["file_name"]} lies outside {root or "the folder of the images"}'
            found.faults.append(Fault.of('outside the root', 'images', index, image, detail))


def leaves(name: str, root: str | None) -> bool:
    """Whether the path of an image leads out of a folder; out of none stated ('') it cannot."""
    if root == '':
        return False
    path = PurePath(posixpath.normpath(name.replace('\\', '/')))
    if path.is_absolute():
        return root is None or not path.is_relative_to(posixpath.abspath(root))
    return '..' in path.parts


def _read_categories(found: Annotations, indices: Sequence[int]) -> None:
    for index in indices:
        stripped = found.entries['categories'][index]['name'].strip()
        _write(found, 'categories', index, {'name': stripped}, 'spaces around names')
        _write(found, 'categories', index, {'name': class_name(stripped)}, 'Unicode of names')


def _read_annotations(
    found: Annotations, valid: Sequence[tuple[int, Mapping]], references: References
) -> None:
    ids = [identifier(a.get('id')) for _, a in valid]
    renumber = any(not isinstance(i, int) or not 1 <= i <= LARGEST_ID for i in ids)
    first: dict[object, int] = {}
    for (index, entry), written in zip(valid, ids, strict=True):
        if written is not None and written in first:
            detail = f'id {written!r} of annotations[{first[written]}] again'
            file = references.file_of(entry)
            found.faults.append(Fault.of('duplicate id', 'annotations', index, entry, detail, file))
            continue
        first[written] = index
        if renumber:
            _write(found, 'annotations', index, {'id': index + 1}, 'annotation ids')
        else:
            _write(found, 'annotations', index, {'id': written}, 'ids')
        read_annotation(found, found.boxes, index, entry, references)


def _leave_out_unused_names(found: Annotations, indices: Sequence[int]) -> None:
    """Of categories of one name those without annotations go; two with some are a fault."""
    categories, named = found.entries['categories'], {}
    used = {
        identifier(a.get('category_id'))
        for a in found.entries['annotations']
        if isinstance(a, Mapping)
    }
    for index in indices:
        named.setdefault(categories[index]['name'], []).append(index)
    for name, same in named.items():
        kept = [i for i in same if categories[i]['id'] in used] or same[:1]
        for index in set(same) - set(kept):
            found.read('unused category', f'{name!r}, id {categories[index]["id"]}')
            categories[index] = None
        for index in kept[1:]:
            entry, other = categories[index], categories[kept[0]]
            detail = f'{name!r} of id {entry["id"]} is also category {other["id"]}'
            found.faults.append(Fault.of('duplicate name', 'categories', index, entry, detail))

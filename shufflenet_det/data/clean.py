"""A content without faults: what can be repaired is, the rest is left out, and both are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from .annotations import Annotations, DataError
from .faults import SECTIONS, WARNED, Fault
from .reader import annotations_of
from .segmentations import box_of

PASSES = 3
"""A repair may uncover a fault; none uncovers more than the next pass ends."""

Size = Callable[[Mapping], 'tuple[int, int] | None']


class Cleaning:
    """Entries by section and index, repaired or left out one fault at a time.

    Attributes:
        done: What was done -> how often.
    """

    def __init__(self, found: Annotations, size_of: Size) -> None:
        self.entries = {
            name: {i: dict(e) if isinstance(e, Mapping) else e
                   for i, e in enumerate(entries) if e is not None}
            for name, entries in found.entries.items()
        }  # fmt: skip
        self.size_of = size_of
        self.done: Counter[str] = Counter()
        self.moved: dict[str, dict] = {'images': {}, 'categories': {}}

    def handle(self, fault: Fault) -> None:
        """Repair the entry of a fault, or leave it out."""
        entry = self.entries[fault.section].get(fault.index)
        if entry is None:  # left out already, or of the config
            return
        repair = REPAIRS.get((fault.kind, fault.section))
        what = repair(self, fault.index, entry) if repair else None
        if what:
            self.done[f'{fault.kind}: {what}'] += 1
        elif fault.severity != WARNED:
            del self.entries[fault.section][fault.index]
            self.done[f'{fault.kind}: left out'] += 1

    def first_of(self, section: str, key: str, value: object) -> Mapping:
        """The first entry with a value."""
        own = self.entries[section].values()
        return next(e for e in own if isinstance(e, Mapping) and e.get(key) == value)

    def new_id(self, section: str) -> int:
        """A positive integer that is no id yet."""
        ids = [e.get('id') for e in self.entries[section].values() if isinstance(e, Mapping)]
        return max([0, *(i for i in ids if isinstance(i, int))]) + 1

    def content(self) -> dict[str, list]:
        """What is left, annotations of moved entries with them and of lost ones without."""
        kept = {name: list(entries.values()) for name, entries in self.entries.items()}
        known = {name: {entry['id'] for entry in kept[name]} for name in self.moved}
        annotations = []
        for annotation in kept['annotations']:
            for key, name in (('image_id', 'images'), ('category_id', 'categories')):
                annotation[key] = self.moved[name].get(annotation[key], annotation[key])
            if annotation['image_id'] in known['images'] and (
                annotation['category_id'] in known['categories']
            ):
                annotations.append(annotation)
            else:
                self.done['annotations of what was left out: left out'] += 1
        return {**kept, 'annotations': annotations}


def _number_anew(work: Cleaning, index: int, entry: dict) -> str | None:
    if entry == work.first_of('annotations', 'id', entry['id']) is not entry:
        return None
    entry['id'] = work.new_id('annotations')
    return 'numbered anew'


def _as_integer(section: str) -> Callable[[Cleaning, int, dict], str]:
    def write(work: Cleaning, index: int, entry: dict) -> str:
        if isinstance(entry['id'], str):
            new = work.new_id(section)
            work.moved[section][entry['id']] = new
            entry['id'] = new
        return 'written as integers'

    return write


def _leave_out_both(work: Cleaning, index: int, entry: dict) -> None:
    """Of two files with one id none is known to be that of the annotations."""
    first = work.first_of('images', 'id', entry['id'])
    if first['file_name'] != entry['file_name']:
        own = next(i for i, e in work.entries['images'].items() if e is first)
        del work.entries['images'][own]


def _merge_category(work: Cleaning, index: int, entry: dict) -> str:
    first = work.first_of('categories', 'name', entry['name'])
    work.moved['categories'][entry['id']] = first['id']
    del work.entries['categories'][index]
    return 'merged'


def _merge_image(work: Cleaning, index: int, entry: dict) -> str | None:
    first = work.first_of('images', 'file_name', entry['file_name'])
    if first is entry or any(first[side] != entry[side] for side in ('width', 'height')):
        return None
    work.moved['images'][entry['id']] = first['id']
    del work.entries['images'][index]
    return 'merged'


def _measure(work: Cleaning, index: int, entry: dict) -> str | None:
    size = work.size_of(entry)
    if size is None:
        return None
    entry['width'], entry['height'] = size
    return 'taken from the image'


def _compute_area(work: Cleaning, index: int, entry: dict) -> str:
    shape = box_of(entry.get('segmentation'))
    entry['area'] = shape[1] if shape else entry['bbox'][2] * entry['bbox'][3]
    return 'computed'


REPAIRS = {
    ('duplicate id', 'annotations'): _number_anew,
    ('duplicate id', 'images'): _leave_out_both,
    ('mixed ids', 'images'): _as_integer('images'),
    ('mixed ids', 'categories'): _as_integer('categories'),
    ('duplicate name', 'categories'): _merge_category,
    ('file twice', 'images'): _merge_image,
    ('bad size', 'images'): _measure,
    ('bad area', 'annotations'): _compute_area,
}
"""Kind of fault, section -> what says how the entry was repaired, or None."""


def clean(found: Annotations, size_of: Size = lambda image: None) -> tuple[dict, Counter[str]]:
    """The content of a COCO file without faults, and what was done how often.

    Args:
        found: What was read; faults of images and classes may have been added.
        size_of: Width and height of the file of an image, None where it cannot be read.

    Raises:
        DataError: If nothing would be left of a set that has annotations.
    """
    done: Counter[str] = Counter()
    again, pending = found, list(found.faults)
    for _ in range(PASSES):
        work = Cleaning(again, size_of)
        for fault in pending:
            work.handle(fault)
        content = work.content()
        done += work.done
        again = annotations_of(content, root='')
        pending = [f for f in again.faults if f.severity != WARNED]
        if not pending:
            break
    lost = [name for name in SECTIONS if found.entries[name] and not content[name]]
    if lost:
        left = found.nothing_left
        raise DataError(
            f'nothing would be left in {lost}, so no file is written: '
            + (left.detail if left else ', '.join(f'{n} {what}' for what, n in done.items()))
        )
    return {**found.rest, **content}, done

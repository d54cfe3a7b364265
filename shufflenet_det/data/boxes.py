"""One annotation: its box, area and iscrowd, read or named; and what all boxes look like."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .faults import LARGEST, Fault, Findings
from .segmentations import box_of
from .values import identifier, is_finite, is_written_so, number, whole

SLACK = 1.0
"""Pixels by which a box may leave its image before that is told."""


@dataclass
class BoxCounts:
    """Of the boxes that are four finite numbers: how many look like what."""

    boxes: int = 0
    fractions: int = 0
    corners: int = 0
    leaving: int = 0

    def add(self, box: list[float], image: Mapping | None) -> None:
        """Count a box x, y, width, height, in an image of known size or None."""
        a, b, c, d = box
        self.boxes += 1
        self.fractions += 0 <= a <= 1 and 0 <= b <= 1 and 0 <= c <= 1 and 0 <= d <= 1
        if image is None:
            return
        width, height = image['width'] + SLACK, image['height'] + SLACK
        self.leaving += a < -SLACK or b < -SLACK or a + c > width or b + d > height
        self.corners += -SLACK <= a < c <= width and -SLACK <= b < d <= height

    def likely_cause(self) -> str:
        """What explains boxes that cannot be right; empty where nothing does."""
        if self.boxes and self.fractions >= 0.9 * self.boxes:
            return (
                f'{self.fractions} of {self.boxes} boxes lie within 0 to 1: likely fractions of '
                'the image; multiply x and width by its width, y and height by its height'
            )
        leaving_many = self.leaving > max(2, 0.1 * self.boxes)
        if leaving_many and self.corners >= 0.9 * self.boxes:
            return (
                f'{self.leaving} of {self.boxes} boxes leave their image, {self.corners} fit as '
                'corners: likely bbox holds x1, y1, x2, y2; write x, y, width, height'
            )
        if leaving_many:
            return (
                f'{self.leaving} of {self.boxes} boxes leave their image: likely the boxes are of '
                'images of another size'
            )
        return ''


@dataclass(frozen=True)
class References:
    """What annotations refer to.

    Args:
        images: Id -> image.
        image_ids: Every way to write the id of an image -> the id.
        category_ids: The same of categories.
    """

    images: Mapping = field(default_factory=dict)
    image_ids: Mapping = field(default_factory=dict)
    category_ids: Mapping = field(default_factory=dict)

    def targets(self, entry: Mapping) -> dict[str, object]:
        """The ids that an annotation means, None for unknown ones."""
        return {
            'image_id': _meant(entry['image_id'], self.image_ids),
            'category_id': _meant(entry['category_id'], self.category_ids),
        }

    def image_of(self, entry: Mapping) -> Mapping:
        """The image of an annotation; empty where it is unknown."""
        return self.images.get(_meant(entry['image_id'], self.image_ids), {})

    def file_of(self, entry: Mapping) -> str:
        """The file of that image."""
        return str(self.image_of(entry).get('file_name', ''))

    def faults(self, entry: Mapping) -> Iterator[tuple[str, str]]:
        """Kind and detail of what an annotation refers to in vain."""
        for key, known in self.targets(entry).items():
            if known is None and key == 'image_id':
                yield 'unknown image', f'image_id {entry[key]!r:.40}'
            elif known is None:
                ids = sorted(set(self.category_ids.values()), key=repr)
                yield 'unknown category', f'{entry[key]!r:.40}, known {ids[:10]}'


def _meant(value: object, known: Mapping) -> object:
    """The id that a value writes, as 7, 7.0, '7' or '7.0'; None where there is none."""
    written = identifier(value)
    return known.get(written, known.get(whole(value)))


def read_annotation(
    found: Findings, counts: BoxCounts, index: int, entry: Mapping, references: References
) -> None:
    """Read entry ``index`` of the annotations in place, with its faults."""
    if _is_usual(entry, references):
        counts.add(entry['bbox'], references.images[entry['image_id']])
        return
    reading = Reading(entry, references)
    reading.run(counts)
    file = references.file_of(entry) if reading.faults else ''
    found.faults += [
        Fault.of(kind, 'annotations', index, entry, detail, file) for kind, detail in reading.faults
    ]
    for kind in reading.notes:
        found.read(kind, f'annotations[{index}]')
    current = found.entries['annotations'][index]
    if not is_written_so(current, reading.values):
        found.entries['annotations'][index] = {**current, **reading.values}


def _is_usual(entry: Mapping, references: References) -> bool:
    """Whether there is nothing to read otherwise or to name; saves most of the time."""
    image = references.images.get(entry['image_id'], {})
    box, crowd = entry.get('bbox'), entry.get('iscrowd')
    if type(box) is not list or len(box) != 4 or type(crowd) is not int or crowd not in (0, 1):
        return False
    if {*map(type, box), type(entry.get('area'))} - {int, float} or not _has_size(image):
        return False
    if {type(entry['image_id']), type(entry['category_id'])} - {int, str} or entry.get('ignore'):
        return False
    x, y, width, height = box
    right, bottom = image['width'], image['height']
    known = references.category_ids.get(entry['category_id'])
    return (
        known == entry['category_id'] and 0 < entry['area'] <= LARGEST**2
        and 0 <= x <= right and 1 <= width <= right and x + width <= right
        and 0 <= y <= bottom and 1 <= height <= bottom and y + height <= bottom
    )  # fmt: skip


class Reading:
    """What one annotation means.

    Attributes:
        values: Fields as training and evaluation need them.
        notes: Kinds of READINGS.
        faults: Kinds of KINDS with their details.
    """

    def __init__(self, entry: Mapping, references: References) -> None:
        self.entry, self.references = entry, references
        self.values: dict[str, object] = {}
        self.notes: list[str] = []
        self.faults = list(references.faults(entry))

    def run(self, counts: BoxCounts) -> None:
        """Read every field; boxes of four finite numbers are counted."""
        self._read_ids()
        self._read_crowd()
        if self._read_box() and self._read_area():
            image = self.references.image_of(self.entry)
            size = image if _has_size(image) else None
            counts.add(self.values['bbox'], size)
            self.faults += _box_faults(self.values['bbox'], size)

    def _read_ids(self) -> None:
        for key, known in self.references.targets(self.entry).items():
            if known is not None and not is_written_so(self.entry, {key: known}):
                self.values[key] = known
                self.notes.append('ids')

    def _read_crowd(self) -> None:
        flags = {key: _flag(self.entry.get(key)) for key in ('iscrowd', 'ignore')}
        for key, flag in flags.items():
            given = self.entry.get(key)
            if flag is None:
                self.faults.append(('bad iscrowd', f'{key} {given!r:.40}'))
            elif given is not None or key == 'iscrowd':
                self.values[key] = flag
        if self.entry.get('iscrowd') is None:
            self.notes.append('no iscrowd')
        if flags['ignore']:
            self.values['iscrowd'] = 1
            self.notes.append('ignored')

    def _read_box(self) -> bool:
        given = self.entry.get('bbox')
        if given in (None, []):
            shape = box_of(self.entry.get('segmentation'))
            box, kind = shape and shape[0], 'no bbox'
        else:
            fits = isinstance(given, (list, tuple)) and len(given) == 4
            box, kind = [number(v) for v in given] if fits else None, 'numbers as text'
        if box is None or None in box:
            self.faults.append(('bad bbox', f'bbox {given!r}'[:80]))
            return False
        if not all(math.isfinite(v) and abs(v) <= LARGEST for v in box):
            self.faults.append(('box not finite', f'bbox {given}'[:80]))
            return False
        if kind == 'no bbox' or any(isinstance(v, str) for v in given):
            self.notes.append(kind)
        self.values['bbox'] = box
        return True

    def _read_area(self) -> bool:
        given = self.entry.get('area')
        area, (_, _, width, height) = number(given), self.values['bbox']
        if given is not None and not is_finite(area):
            self.faults.append(('bad area', f'area {given!r}'[:80]))
            return False
        if area is None or area <= 0:
            shape = box_of(self.entry.get('segmentation'))
            area = shape[1] if shape and shape[1] > 0 else width * height
            self.notes += ['no area'] if min(width, height) > 0 else []
        elif isinstance(given, str):
            self.notes.append('numbers as text')
        self.values['area'] = area
        return True


def _flag(value: object) -> int | None:
    """0 or 1, which is 0 where nothing stands; None of anything else."""
    found = int(value) if isinstance(value, bool) else 0 if value is None else whole(value)
    return found if found in (0, 1) else None


def _has_size(image: Mapping) -> bool:
    width, height = image.get('width'), image.get('height')
    return type(width) is type(height) is int and 1 <= min(width, height) <= LARGEST >= max(
        width, height
    )


def _box_faults(box: list[float], image: Mapping | None) -> Iterator[tuple[str, str]]:
    x, y, width, height = box
    if width <= 0 or height <= 0:
        yield 'empty box', f'bbox {box}'
    elif width < 1 or height < 1:
        yield 'sub-pixel box', f'bbox {box}'
    elif image:
        right, bottom = image['width'], image['height']
        where = f'bbox {box} in {right}x{bottom}'
        if x >= right or y >= bottom or x + width <= 0 or y + height <= 0:
            yield 'box outside', where
        elif min(x, y) < -SLACK or x + width > right + SLACK or y + height > bottom + SLACK:
            yield 'box leaves the image', where

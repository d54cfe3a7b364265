"""Faults of a COCO-format data set: their kinds, and a content without them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LARGEST = 1e6
"""A coordinate beyond this many pixels is no box."""

FATAL, DROPPED = 'fatal', 'dropped'
KINDS = {
    'not an object': (FATAL, 'the entry is no JSON object'),
    'missing field': (FATAL, 'a field that training needs'),
    'duplicate id': (FATAL, 'the id stands twice'),
    'duplicate name': (FATAL, 'two categories of one name'),
    'bad size': (FATAL, 'width and height must be integers >= 1'),
    'bad bbox': (FATAL, 'bbox must be x, y, width, height in pixels'),
    'bad area': (FATAL, 'area must be a finite number'),
    'box not finite': (FATAL, f'NaN, infinite or beyond {LARGEST:.0e} pixels'),
    'unknown category': (FATAL, 'category_id is no id of categories'),
    'class not in the file': (FATAL, 'a class name of the config is no category'),
    'unknown image': (FATAL, 'image_id is no id of images'),
    'unreadable image': (FATAL, 'missing, empty, cut, damaged or no image'),
    'other image size': (FATAL, 'width and height are not those of the upright file'),
    'empty box': (DROPPED, 'width, height or area is zero or negative'),
    'sub-pixel box': (DROPPED, 'less than one pixel wide or high'),
    'box outside': (DROPPED, 'wholly outside the image'),
}
"""Kind of fault -> (is training stopped, or is the entry left out by it; what it means)."""

SECTIONS = {
    'images': ('id', 'file_name', 'width', 'height'),
    'categories': ('id', 'name'),
    'annotations': ('id', 'image_id', 'category_id', 'bbox', 'area'),
}
"""Lists of a COCO file and the fields that training needs of each entry."""


@dataclass(frozen=True)
class Fault:
    """One offender: entry ``index`` of the list ``section``; None where an entry is missing."""

    kind: str
    section: str
    index: int | None
    file: str = ''
    image_id: object = None
    annotation_id: object = None
    detail: str = ''

    @property
    def fatal(self) -> bool:
        """Whether training on such data is refused."""
        return KINDS[self.kind][0] == FATAL

    def __str__(self) -> str:
        ids = [f'image {self.image_id}' if self.image_id is not None else '',
               f'annotation {self.annotation_id}' if self.annotation_id is not None else '',
               self.file]  # fmt: skip
        entry = self.section + ('' if self.index is None else f'[{self.index}]')
        where = ', '.join(part for part in ids if part) or entry
        return f'{self.kind}: {where}: {self.detail or KINDS[self.kind][1]}'


def clean(content: Mapping[str, Sequence], faults: Sequence[Fault]) -> dict:
    """The content without the offenders and without annotations of removed images."""
    bad = defaultdict(set)
    for fault in faults:
        bad[fault.section].add(fault.index)
    kept = {
        name: [entry for i, entry in enumerate(content[name]) if i not in bad[name]]
        for name in SECTIONS
    }
    known = {name: {entry['id'] for entry in kept[name]} for name in ('images', 'categories')}
    kept['annotations'] = [
        a
        for a in kept['annotations']
        if a['image_id'] in known['images'] and a['category_id'] in known['categories']
    ]
    return {**content, **kept}


def summary(faults: Sequence[Fault]) -> str:
    """One line for each kind: how many, and what happens to them in training."""
    counts = Counter(fault.kind for fault in faults)
    consequence = {FATAL: 'stops training', DROPPED: 'left out by training'}
    return '\n'.join(
        f'{counts[kind]:6d}  {kind} ({consequence[severity]}): {meaning}'
        for kind, (severity, meaning) in KINDS.items()
        if counts[kind]
    )

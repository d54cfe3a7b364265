"""What is found in the annotations of a data set: kinds, entries and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LARGEST = 1e6
"""A coordinate beyond this many pixels is no box."""

FATAL, DROPPED, WARNED = 'fatal', 'dropped', 'warned'
KINDS = {
    'not an object': (FATAL, 'the entry is no JSON object'),
    'missing field': (FATAL, 'a field that training needs'),
    'duplicate id': (FATAL, 'the id stands twice'),
    'mixed ids': (FATAL, 'some ids are integers and some text; write all in one way'),
    'duplicate name': (FATAL, 'two categories of one name'),
    'bad size': (FATAL, 'width and height must be integers >= 1'),
    'bad bbox': (FATAL, 'bbox must be x, y, width, height in pixels'),
    'bad area': (FATAL, 'area must be a finite number'),
    'bad iscrowd': (FATAL, 'iscrowd, and ignore where it stands, must be 0 or 1'),
    'box not finite': (FATAL, f'NaN, infinite or beyond {LARGEST:.0e} pixels'),
    'unknown category': (FATAL, 'category_id is no id of categories'),
    'class not in the file': (FATAL, 'a class name of the config is no category'),
    'unknown image': (FATAL, 'image_id is no id of images'),
    'no file name': (FATAL, 'file_name must name the image'),
    'outside the root': (FATAL, 'the image lies outside the folder of the images'),
    'unreadable image': (FATAL, 'missing, empty, cut, damaged or no image'),
    'other image size': (FATAL, 'width and height are not those of the upright file'),
    'nothing is left': (FATAL, 'no annotation can be used'),
    'empty box': (DROPPED, 'width or height is zero or negative'),
    'sub-pixel box': (DROPPED, 'less than one pixel wide or high'),
    'box outside': (DROPPED, 'wholly outside the image'),
    'box leaves the image': (WARNED, 'by more than a pixel; training clips it'),
    'file twice': (WARNED, 'one image file under two ids, each with a part of its objects'),
}
"""Kind of fault -> (is training stopped, the entry left out by it or only told; its meaning)."""

CONSEQUENCES = {
    FATAL: 'stops training', DROPPED: 'left out by training', WARNED: 'trained on as it is',
}  # fmt: skip

OF_IMAGES = ('no file name', 'outside the root', 'file twice')
"""Kinds that do not matter where images are not read."""

READINGS = {
    'annotation ids': '0, absent, text or too large for pycocotools; numbered anew from 1',
    'ids': 'floats, or unlike those of the list they refer to; read as written there',
    'numbers as text': 'read as numbers',
    'sizes': 'width and height as text or floats; read as integers',
    'Windows paths': r'of images, with \ between folders; read with /',
    'no iscrowd': 'absent or null; read as 0',
    'no area': 'absent, null or not positive; computed from the segmentation or the box',
    'no bbox': 'absent or null; computed from the segmentation',
    'ignored': 'ignore is true; read as a crowd, which is no object',
    'spaces around names': 'left out',
    'Unicode of names': 'letters in another form; composed (NFC)',
    'unused category': 'of the name of another one, without annotations; left out',
    'no list of annotations': 'read as a file without objects',
    'blank lines': 'of the list of ids; left out',
    'other suffixes': 'images that are no ID.jpg; found in the folder',
    'no difficult': 'empty; read as 0',
    'no size': 'of the image in the XML file, or 0; read from the image',
    'no label file': "of an image, in YOLO's format; not used, an empty one says: no object",
}
"""What is read although the format says otherwise -> how."""

SECTIONS = {
    'images': ('id',),
    'categories': ('id', 'name'),
    'annotations': ('image_id', 'category_id'),
}
"""Lists of a COCO file and the fields of an entry that nothing can stand for."""


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
    def severity(self) -> str:
        """A key of CONSEQUENCES."""
        return KINDS[self.kind][0]

    @property
    def fatal(self) -> bool:
        """Whether training on such data is refused."""
        return self.severity == FATAL

    def __str__(self) -> str:
        ids = [f'image {self.image_id}' if self.image_id is not None else '',
               f'annotation {self.annotation_id}' if self.annotation_id is not None else '',
               self.file]  # fmt: skip
        entry = self.section + ('' if self.index is None else f'[{self.index}]')
        where = ', '.join(part for part in ids if part) or entry
        text = f'{self.kind}: {where}: {self.detail or KINDS[self.kind][1]}'
        return text.encode(errors='backslashreplace').decode()  # half a character of UTF-16

    @classmethod
    def of(
        cls, kind: str, section: str, index: int, entry: Mapping, detail: str = '', file: str = ''
    ) -> Fault:
        """A fault with the ids and the file that an entry of the list names."""
        if section == 'annotations':
            ids = (entry.get('image_id'), entry.get('id'))
        else:
            ids = (entry.get('id'), None) if section == 'images' else (None, None)
        return cls(kind, section, index, file or str(entry.get('file_name', '')), *ids, detail)


@dataclass
class Findings:
    """Faults, and how often what was read how.

    Attributes:
        readings: Kind -> how often, where first.
    """

    faults: list[Fault] = field(default_factory=list)
    readings: dict[str, tuple[int, str]] = field(default_factory=dict)

    def read(self, kind: str, where: str, count: int = 1) -> None:
        """Note that something was read although the format says otherwise."""
        before, first = self.readings.get(kind, (0, where))
        self.readings[kind] = before + count, first


def summary(faults: Sequence[Fault]) -> str:
    """One line for each kind: how many, and what happens to them in training."""
    counts = Counter(fault.kind for fault in faults)
    return '\n'.join(
        f'{counts[kind]:6d}  {kind} ({CONSEQUENCES[severity]}): {meaning}'
        for kind, (severity, meaning) in KINDS.items()
        if counts[kind]
    )


def readings_summary(readings: Mapping[str, tuple[int, str]]) -> str:
    """One line for each kind of reading: how often, how and where first."""
    return '\n'.join(
        f'{readings[kind][0]:6d}  {kind}: {meaning} (first: {readings[kind][1]})'
        for kind, meaning in READINGS.items()
        if kind in readings
    )

"""A folder of somebody's own images and annotations, as three COCO files of one list of classes."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .annotations import Annotations, DataError
from .faults import FATAL
from .find_sets import Part, find_parts
from .split import stratified

SPLITS = ('train', 'val', 'test')
SHARE = 0.2
"""Of the images that validate, where the folder has no split."""


@dataclass(frozen=True)
class Image:
    """An image and its boxes.

    Args:
        file: Path below the folder.
        source: The annotation file that lists it.
        objects: Name, bbox (x, y, width, height in px), area and iscrowd of each.
    """

    file: str
    width: int
    height: int
    source: str
    objects: tuple[Mapping, ...] = ()

    @property
    def original(self) -> str:
        """What Roboflow's augmented copies of one image have in common."""
        return self.file.partition('.rf.')[0]


@dataclass
class OwnSet:
    """Images of each split, and what was decided on the way.

    Attributes:
        classes: In the order of the labels.
        notes: What is worth to be told, one line each.
    """

    root: Path
    layout: str
    images: dict[str, list[Image]]
    classes: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def coco(self, split: str) -> dict:
        """Content of the COCO file of a split, with file names below the folder."""
        ids = {name: number for number, name in enumerate(self.classes, start=1)}
        content = dict(images=[], annotations=[], categories=[])
        for number, image in enumerate(self.images[split], start=1):
            sides = dict(width=image.width, height=image.height)
            content['images'].append(dict(id=number, file_name=image.file, **sides))
            content['annotations'] += [
                dict(bbox=o['bbox'], area=o['area'], iscrowd=o['iscrowd'], image_id=number,
                     category_id=ids[o['name']])
                for o in image.objects
            ]  # fmt: skip
        for number, annotation in enumerate(content['annotations'], start=1):
            annotation['id'] = number
        content['categories'] = [dict(id=number, name=name) for name, number in ids.items()]
        return content


def read_own_set(root: str | Path, layout: str | None = None, seed: int = 0) -> OwnSet:
    """What :func:`read_images` gives, split into SPLITS, by ``seed`` where nothing else does.

    Raises:
        DataError: As there.
    """
    own = read_images(root, layout)
    _split(own, seed)
    _refuse_shared(own)
    return own


def read_images(root: str | Path, layout: str | None = None) -> OwnSet:
    """What a folder holds, by the splits that it has itself; '' is that of no split.

    Args:
        root: The folder; nothing is written to it.
        layout: A key of ``find_sets.LAYOUTS``, for a folder that has several.

    Raises:
        DataError: Naming what is missing, faulty, or contradicts something else.
    """
    root = Path(root)
    layout, parts = find_parts(root, layout)
    images, notes = defaultdict(list), []
    for part in parts:
        found, folder = part.read()
        where = f'{part.annotations}, {part.split or "no split"}'
        found.refuse_faults(where, (FATAL,))
        if found.told():
            notes.append(f'{where}: {" ".join(found.told().split())}')
        images[part.split] += _images(found, folder, part, root)
    own = OwnSet(root, layout, dict(images), notes=notes)
    _refuse_listed_twice(own)
    own.classes = _classes(own)
    return own


def _images(found: Annotations, folder: Path, part: Part, root: Path) -> list[Image]:
    names = {c['id']: c['name'] for c in found.usable('categories')}
    objects = defaultdict(list)
    for entry in found.usable('annotations'):
        objects[entry['image_id']].append(dict(entry, name=names[entry['category_id']]))
    entries = found.usable('images')
    missing = [e['file_name'] for e in entries if not (folder / e['file_name']).is_file()]
    if missing or not entries:
        raise DataError(
            f'{part.annotations}: of {len(entries)} images {len(missing)} are missing, '
            f'{missing[:3]}; looked for below {root}, last in {folder}. Put them there, or leave '
            'them out of the annotations'
        )
    return [
        Image(
            Path(os.path.relpath(folder / entry['file_name'], root)).as_posix(),
            entry['width'], entry['height'], str(part.annotations), tuple(objects[entry['id']]),
        )
        for entry in entries
    ]  # fmt: skip


def _refuse_listed_twice(own: OwnSet) -> None:
    """Two annotation files that both list an image contradict each other."""
    first: dict[str, tuple[str, str]] = {}
    for split, images in own.images.items():
        for image in images:
            source, other = first.setdefault(image.file, (image.source, split))
            if source != image.source or other != split:
                raise DataError(
                    f'{own.root}: {image.file} stands in {source} ({other or "no split"}) and in '
                    f'{image.source} ({split or "no split"}), and only one can be right; move the '
                    'other out of the folder'
                )


def _classes(own: OwnSet) -> tuple[str, ...]:
    counts = Counter(o['name'] for i in own.images.values() for image in i for o in image.objects)
    if not counts:
        raise DataError(f'{own.root}: no object in any image, nothing can be learnt')
    alike = defaultdict(list)
    for name in sorted(counts):
        alike[name.casefold()].append(name)
    for names in alike.values():
        if len(names) > 1:
            raise DataError(
                f'{own.root}: class names that differ in capitals only: '
                f'{", ".join(f"{name!r} ({counts[name]} objects)" for name in names)}; write one'
            )
    return tuple(sorted(counts))


def _split(own: OwnSet, seed: int) -> None:
    """Give every split its images; a folder has some of train, val, test and images of none."""
    given = {split: own.images.get(split, []) for split in ('', *SPLITS)}
    found = {split: images for split, images in given.items() if split and images}
    loose = given['']
    train, val, test = (given[split] for split in SPLITS)
    if not train:
        train, loose = loose, []
    if loose:
        own.notes.append(f'{len(loose)} images of no split: not used')
    if not train:
        raise DataError(f'{own.root}: images to train on are missing, there are {list(found)} only')
    if not val and test:
        val = test
        own.notes.append('no split to validate on: the test split is taken')
    elif not val:
        train, val = _divided(own.root, train, seed)
        own.notes.append(
            f'no split: {SHARE:.0%} of the images of every class validate, at least one, drawn by '
            f'seed {seed}'
        )
    if not test:
        test = val
        own.notes.append('no split to test on: the images that validate are taken')
    own.images = dict(train=train, val=val, test=test)


def _divided(root: Path, images: Sequence[Image], seed: int) -> tuple[list[Image], list[Image]]:
    if len(images) < 2:
        raise DataError(f'{root}: one image cannot be trained on and validated; give at least two')
    images = sorted(images, key=lambda image: image.file)
    classes = [[o['name'] for o in image.objects] for image in images]
    try:
        validates = stratified(classes, _groups(root, images), SHARE, seed)
    except ValueError as error:
        raise DataError(f'{root}: {error}; give a second one') from error
    pairs = list(zip(images, validates, strict=True))
    return [i for i, chosen in pairs if not chosen], [i for i, chosen in pairs if chosen]


def _groups(root: Path, images: Sequence[Image]) -> list[str]:
    """Of each image, what is common to it, its copies, and all that comes of the same originals."""
    contents = _contents([image.file for image in images], root)
    above: dict[str, str] = {}

    def top(key: str) -> str:
        while key in above:
            key = above[key]
        return key

    for image in images:
        mine, copied = top(image.original), top(contents.get(image.file, image.original))
        if mine != copied:
            above[mine] = copied
    return [top(image.original) for image in images]


def _refuse_shared(own: OwnSet) -> None:
    """An image that trains must not validate or test."""
    train = [image.file for image in own.images['train']]
    others = {i.file: split for split in ('val', 'test') for i in own.images[split]}
    contents = _contents([*train, *others], own.root)
    trained = {contents[file]: file for file in train if file in contents}
    shared = [(trained[d], f) for f, d in contents.items() if f in others and d in trained]
    if shared:
        ours, theirs = shared[0]
        raise DataError(
            f'{own.root}: {len(shared)} images that train also validate or test: {ours} and '
            f'{theirs} ({others[theirs]}); take them out of one, or the score says nothing'
        )


def _contents(files: Sequence[str], root: Path) -> dict[str, str]:
    """File -> hash of its content, of those that may have a copy: another one of equal size."""
    files = list(dict.fromkeys(files))
    sizes = {file: (root / file).stat().st_size for file in files}
    counts = Counter(sizes.values())
    return {
        file: hashlib.sha256((root / file).read_bytes()).hexdigest()
        for file in files
        if counts[sizes[file]] > 1
    }

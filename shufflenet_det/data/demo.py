"""The generated COCO-format detection set: eight shapes on textured grounds, written once."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .shapes import SHAPES, Placed, compose

CLASSES = tuple(SHAPES)
PALETTE = [
    (220, 20, 60),
    (0, 130, 200),
    (60, 180, 75),
    (255, 225, 25),
    (145, 30, 180),
    (70, 240, 240),
    (245, 130, 48),
    (240, 50, 230),
]  # RGB, for drawing boxes
SPLITS = ('train', 'val')
MANIFEST = 'manifest.json'
VERSION = 2  # rises with every change to the images or annotations
EMPTY_EVERY = 40  # the last of every so many images of a split has no object
_JPEG_QUALITY = 92
_REPORT_EVERY = 100


@dataclass(frozen=True)
class DemoSet:
    """Where a generated set lies and what it was made from."""

    root: Path
    seed: int
    num_train: int
    num_val: int

    def __fspath__(self) -> str:
        return str(self.root)

    @property
    def settings(self) -> dict[str, int]:
        """What a set is made from; equal settings give the same set."""
        return dict(version=VERSION, seed=self.seed, num_train=self.num_train, num_val=self.num_val)

    def ann_file(self, split: str) -> Path:
        """The COCO annotation file of 'train' or 'val'."""
        return self.root / 'annotations' / f'instances_{split}.json'

    def image_dir(self, split: str) -> Path:
        """The folder of the images of 'train' or 'val'."""
        return self.root / split


def generate(
    root: str | os.PathLike, seed: int = 0, num_train: int = 300, num_val: int = 100
) -> DemoSet:
    """Writes the set to a folder, or returns at once where it already lies complete.

    The same seed gives the same files, bit for bit, under the same versions of numpy and OpenCV;
    image i of a split does not depend on how many there are. The set is built beside `root` and
    renamed when complete, so an interrupted or concurrent call leaves no half set. A set whose
    files were lost or cut is made anew.

    Boxes are the tight boxes of whole shapes, in px, also where later objects cover a part (no more
    than `shapes.MIN_VISIBLE` allows); `area` is that of the whole shape, in px^2.

    Raises ValueError for counts or seeds out of range, and FileExistsError where `root` holds a
    set of other settings or anything else.
    """
    for name, value, least in (
        ('seed', seed, 0),
        ('num_train', num_train, 1),
        ('num_val', num_val, 1),
    ):
        if value < least:
            raise ValueError(f'{name}={value} is not allowed: give an integer >= {least}')
    wanted = DemoSet(Path(root).resolve(), seed, num_train, num_val)
    if _is_complete(wanted):
        return wanted
    wanted.root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f'.{wanted.root.name}.', dir=wanted.root.parent
    ) as staging:
        built = DemoSet(Path(staging) / 'set', seed, num_train, num_val)
        print(f'generating the demo set in {wanted.root}', flush=True)
        _build(built)
        if not _is_complete(wanted):  # another process may have finished meanwhile
            if wanted.root.exists():
                wanted.root.rename(Path(staging) / 'damaged')
            built.root.rename(wanted.root)
    return wanted


def _is_complete(wanted: DemoSet) -> bool:
    root = wanted.root
    if not root.exists() or root.is_dir() and not any(root.iterdir()):
        return False
    try:
        found = json.loads((root / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise FileExistsError(
            f'{root} exists and is no generated set (no readable {MANIFEST}): '
            'choose another folder, or delete this one'
        ) from error
    if found['settings'] != wanted.settings:
        raise FileExistsError(
            f'{root} holds a set generated with {found["settings"]}, asked for '
            f'was {wanted.settings}: choose another folder, or delete this one'
        )
    return all(
        (root / name).is_file() and (root / name).stat().st_size == size
        for name, size in found['files'].items()
    )


def _build(target: DemoSet) -> None:
    for split, count in (('train', target.num_train), ('val', target.num_val)):
        _write_split(target, split, count)
    sizes = {
        path.relative_to(target.root).as_posix(): path.stat().st_size
        for path in sorted(target.root.rglob('*'))
        if path.is_file()
    }
    _write_json(target.root / MANIFEST, dict(settings=target.settings, files=sizes))


def _write_split(target: DemoSet, split: str, count: int) -> None:
    target.image_dir(split).mkdir(parents=True)
    images, annotations = [], []
    for number in range(count):
        rng = np.random.default_rng([target.seed, SPLITS.index(split), number])
        pixels, objects = compose(rng, empty=(number + 1) % EMPTY_EVERY == 0)
        record = _image_record(number, pixels)
        _write_jpeg(target.image_dir(split) / record['file_name'], pixels)
        images.append(record)
        annotations += [
            _annotation(record['id'], len(annotations) + k, placed)
            for k, placed in enumerate(objects, start=1)
        ]
        if (number + 1) % _REPORT_EVERY == 0 or number + 1 == count:
            print(f'  {split}: {number + 1}/{count} images', flush=True)
    categories = [
        dict(id=i, name=name, supercategory='shape') for i, name in enumerate(CLASSES, start=1)
    ]
    _write_json(
        target.ann_file(split),
        dict(
            info=dict(description=f'generated shapes, {split}', version=str(VERSION)),
            licenses=[],
            categories=categories,
            images=images,
            annotations=annotations,
        ),
    )


def _image_record(number: int, pixels: np.ndarray) -> dict:
    height, width = pixels.shape[:2]
    return dict(id=number + 1, file_name=f'{number + 1:06d}.jpg', height=height, width=width)


def _annotation(image_id: int, annotation_id: int, placed: Placed) -> dict:
    height, width = placed.mask.shape
    return dict(
        id=annotation_id,
        image_id=image_id,
        category_id=CLASSES.index(placed.name) + 1,
        bbox=[placed.x, placed.y, width, height],
        iscrowd=0,
        area=round(float(placed.mask.sum()) / 255, 2),
    )


def _write_jpeg(path: Path, pixels: np.ndarray) -> None:
    _, encoded = cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    path.write_bytes(encoded.tobytes())


def _write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))

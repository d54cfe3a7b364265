"""Where frames come from: images, folders, patterns, videos and cameras; numpy, OpenCV, Pillow."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from numbers import Integral
from pathlib import Path
from typing import Protocol

import cv2
from numpy import ndarray

from shufflenet_det.data.pixels import read_image

from .drawing import is_ours

IMAGE_SUFFIXES = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')
STREAMS = ('http://', 'https://', 'rtmp://', 'rtsp://')
USUAL_RATE = 25.0
"""Frames/s of a camera or a video that states none."""

SLACK = 0.02
"""Of a video's frames: a container without an index states their number by its length."""


@dataclass(frozen=True)
class Frame:
    """One image to detect in.

    Args:
        name: Path below what was given; of a video ``clip.avi/000001``.
        pixels: BGR (H, W, 3) uint8.
        still: An image file, not a frame of a video or a camera.
    """

    name: str
    pixels: ndarray
    still: bool = True


class Part(Protocol):
    """One file or camera."""

    path: str
    name: str
    length: int | None
    rate: float | None

    def frames(self) -> Iterator[Frame]:
        """Its frames; a ValueError or an OSError says what could not be read after them."""


@dataclass(frozen=True)
class Still:
    """An image file."""

    path: str
    name: str
    length = 1
    rate = None

    def frames(self) -> Iterator[Frame]:
        """The one image, upright."""
        yield Frame(self.name, read_image(self.path))


class Capture:
    """A video file, a stream or a camera, through OpenCV."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name
        capture = self._capture()
        frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.length = frames if frames > 0 else None
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else USUAL_RATE
        capture.release()

    def _capture(self) -> cv2.VideoCapture:
        if self.path.isdecimal():
            return cv2.VideoCapture(min(int(self.path), 2**31 - 1))  # it takes a C int
        return cv2.VideoCapture(self.path)

    def frames(self) -> Iterator[Frame]:
        """Its frames in order, until it ends.

        Raises:
            ValueError: If it cannot be opened or has none; after the last, if it states more.
        """
        capture, count = self._capture(), 0
        try:
            if not capture.isOpened():
                raise ValueError(self._closed())
            while (read := capture.read())[0]:
                count += 1
                yield Frame(f'{self.name}/{count:06}', read[1], still=False)
        finally:
            capture.release()
        if not count:
            raise ValueError(f'{self.path}: a video without a frame; record or download it again')
        if self.length and count < self.length - max(1, SLACK * self.length):
            raise ValueError(
                f'{self.path}: breaks off after {count} of {self.length} frames; those are kept'
            )

    def _closed(self) -> str:
        if self.path.isdecimal():
            return f'camera {self.path}: there is none, or another program has it; 0 is the first'
        if self.path.startswith(STREAMS):
            return f'{self.path}: no stream answers; check the address, and that it is running'
        return f'{self.path}: OpenCV cannot open it; it is cut, no video, or of an unknown coding'


@dataclass
class Source:
    """Frames of all parts in order; what cannot be read is told and left out.

    Iterating raises the ValueError or OSError where the one part that there is has no frame.

    Args:
        parts: Files, or a camera.

    Attributes:
        faults: A line for each part that could not be read whole, once it was its turn.
    """

    parts: Sequence[Part]
    faults: list[str] = field(default_factory=list)

    @property
    def length(self) -> int | None:
        """Frames of all parts; None where one does not say."""
        lengths = [part.length for part in self.parts]
        return None if None in lengths else sum(lengths)

    @property
    def rate(self) -> float | None:
        """Frames/s of the first part that moves; None of images alone."""
        return next((part.rate for part in self.parts if part.rate), None)

    def __iter__(self) -> Iterator[Frame]:
        count = 0
        for part in self.parts:
            try:
                for frame in part.frames():
                    count += 1
                    yield frame
            except (OSError, ValueError) as error:
                if len(self.parts) == 1 and count == 0:
                    raise
                self.faults.append(str(error))
                print(f'skipped: {error}', file=sys.stderr)


def open_source(given: str | Path | int) -> Source:
    """The frames of what is given, by the first row of KINDS that knows it.

    Raises:
        FileNotFoundError, ValueError: If no row knows it, or nothing is there; of another type.
    """
    if not isinstance(given, str | os.PathLike | Integral):
        raise ValueError(
            'the source must be a path, a pattern, a stream or the number of a camera, got '
            f'{type(given).__name__}; a detector takes arrays itself, and lists by each'
        )
    text = str(given)
    for kind in KINDS:
        if kind.knows(text):
            return Source(kind.parts(text))
    raise FileNotFoundError(f'{text}: no such file; give {"; or ".join(k.what for k in KINDS)}')


def find_images(path: str | Path) -> list[Path]:
    """The image itself, or the images of a folder and all folders in it, sorted by path.

    Raises:
        FileNotFoundError: If the path does not exist or the folder has no image.
    """
    path = Path(path)
    return [path] if path.is_file() else _below(path, IMAGE_SUFFIXES)


def _below(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    found = sorted(p for p in folder.rglob('*') if p.suffix.lower() in suffixes and p.is_file())
    found = [path for path in found if not is_ours(path)]
    if not found:
        raise FileNotFoundError(
            f'no image at {folder}: give an image file or a folder with files that end in '
            f'{", ".join(suffixes)}; pictures of detections do not count'
        )
    return found


def _matching(pattern: str) -> list[Part]:
    paths = map(Path, glob.glob(pattern, recursive=True))
    paths = sorted(paths, key=lambda path: -len(path.parts))  # ** follows links, also in a circle
    once = {path.parent.resolve() / path.name: path for path in paths if path.is_file()}
    found = sorted(path for path in once.values() if not is_ours(path))
    if not found:
        raise FileNotFoundError(
            f'{pattern}: no file matches; put quotes around it; what was drawn does not count'
        )
    fixed = takewhile(lambda part: not glob.has_magic(part), Path(pattern).parent.parts)
    return _parts(found, Path(*fixed))


def _parts(paths: Sequence[Path], root: Path) -> list[Part]:
    return [_part(path, path.relative_to(root).as_posix()) for path in paths]


def _part(path: Path, name: str) -> Part:
    is_video = path.suffix.lower() in VIDEO_SUFFIXES
    return (Capture if is_video else Still)(str(path), name)


def _folder(text: str) -> list[Part]:
    return _parts(_below(Path(text), IMAGE_SUFFIXES + VIDEO_SUFFIXES), Path(text))


@dataclass(frozen=True)
class Kind:
    """A kind of source.

    Args:
        what: As a user is told.
        knows: Whether a text is one.
        parts: Its files, or the camera.
    """

    what: str
    knows: Callable[[str], bool]
    parts: Callable[[str], list[Part]]


KINDS = (
    Kind('the number of a camera', str.isdecimal, lambda text: [Capture(text, f'camera{text}')]),
    Kind(f'a stream ({", ".join(STREAMS)}...)', lambda text: text.startswith(STREAMS),
         lambda text: [Capture(text, 'stream')]),
    Kind('an image or a video', lambda text: Path(text).is_file(),
         lambda text: [_part(Path(text), Path(text).name)]),
    Kind('a folder', os.path.isdir, _folder),
    Kind("a pattern like 'shots/**/*.jpg'", glob.has_magic, _matching),
)  # fmt: skip
"""In the order in which they are tried."""

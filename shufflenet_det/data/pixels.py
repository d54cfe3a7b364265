"""Reading images so that no damaged one passes, and images too thin to resize.

Numpy and OpenCV only.

Policy: what is cut, or what libjpeg has to make up, is no image. Not found is a JPEG whose
coefficients were altered into other valid ones: the format has no checksum. PNG has, and libpng
tests them.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from .files import read_file

T = TypeVar('T')
JPEG = b'\xff\xd8'
_ENDS = {  # start of a file -> (what must follow it, after what)
    JPEG: (b'\xff\xd9', b'\xff\xda'),
    b'\x89PNG': (b'IEND', b'IHDR'),
}
_MADE_UP = re.compile(r'(Corrupt JPEG data|Premature end|Invalid (SOS|JPEG)).*')
_HARMLESS = re.compile(r': [12] extraneous bytes before marker 0xd9')  # padding behind the pixels


def opencv(content: bytes) -> np.ndarray | None:
    """Pixels (H, W, 3) uint8 BGR, upright by the EXIF tag; None of what is no image."""
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def read_image(
    path: str | Path,
    size: tuple[int, int] | None = None,
    read: Callable[[str], bytes] = read_file,
    decoder: Callable[[bytes], np.ndarray | None] = opencv,
) -> np.ndarray:
    """Pixels of an image file as :func:`decode` gives them.

    Args:
        size: Width and height that the annotations give, in the upright frame.
        read: Gives the content of the path.
        decoder: As in :func:`decode`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming the path, if it cannot be read or has another size.
    """
    try:
        image = decode(read(str(path)), decoder)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{path}: no such file') from error
    except (OSError, ValueError) as error:
        cause = getattr(error, 'strerror', None) or error
        raise ValueError(f'{path}: {cause}') from error
    found = image.shape[1], image.shape[0]
    if size is not None and found != size:
        raise ValueError(
            f'{path}: {found[0]}x{found[1]} pixels upright, the annotations say '
            f'{size[0]}x{size[1]}; correct width and height there'
        )
    return image


def decode(content: bytes, decoder: Callable[[bytes], np.ndarray | None] = opencv) -> np.ndarray:
    """Pixels (H, W, 3) uint8 BGR of an encoded image, upright by its EXIF tag.

    Args:
        decoder: Gives them, or None of what is no image.

    Raises:
        ValueError: If the content is empty, cut, no image, or a JPEG that libjpeg has to complete.
    """
    try:
        image = undamaged(content, lambda: decoder(content))
    except ValueError:
        raise
    except Exception as error:  # OpenCV, PIL and tifffile each have their own
        raise ValueError(f'cannot be decoded ({error})') from error
    if image is None:
        raise ValueError('not an image, or of an unknown format')
    return image


def undamaged(content: bytes, decoder: Callable[[], T]) -> T:
    """What ``decoder`` makes of an encoded image that it can have read whole.

    OpenCV fills what is missing of a JPEG with grey; libjpeg says so on stderr only.

    Raises:
        ValueError: If the content is empty or cut, or libjpeg said that it made up a part.
    """
    if not content:
        raise ValueError('the file is empty (0 bytes)')
    for start, (end, after) in _ENDS.items():
        if content.startswith(start) and content.rfind(end) <= content.rfind(after):
            raise ValueError('the image is cut: its end is missing')
    if not content.startswith(JPEG):
        return decoder()
    result, said = _stderr.of(decoder)
    damage = _MADE_UP.search(said)
    if damage and not _HARMLESS.search(damage[0]):
        raise ValueError(f'the image is damaged: {damage[0]}')
    return result


class _Stderr:
    """File descriptor 2, diverted while C code runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sink: int | None = None
        self._kept: int | None = None

    def of(self, call: Callable[[], T]) -> tuple[T, str]:
        """The result of ``call``, and what was written meanwhile, which is passed on, too."""
        with self._lock:
            try:
                self._kept = os.dup(2)
            except OSError:  # closed, as in a daemon
                return call(), ''
            if self._sink is None:
                with tempfile.TemporaryFile() as file:
                    self._sink = os.dup(file.fileno())
            os.dup2(self._sink, 2)
            try:
                result = call()
            finally:
                self.restore()
                said = self._take()
        if said:
            os.write(2, said)
        return result, said.decode(errors='replace')

    def restore(self) -> None:
        """Descriptor 2 as it was."""
        if self._kept is not None:
            os.dup2(self._kept, 2)
            os.close(self._kept)
            self._kept = None

    def _take(self) -> bytes:
        size = os.fstat(self._sink).st_size
        if not size:
            return b''
        said = os.pread(self._sink, size, 0)
        os.ftruncate(self._sink, 0)
        os.lseek(self._sink, 0, os.SEEK_SET)
        return said


_stderr = _Stderr()


def _after_fork() -> None:
    """A forked process neither shares the file nor inherits a lock that is held."""
    global _stderr
    _stderr.restore()
    _stderr = _Stderr()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_after_fork)


THINNEST = 100
"""Longer side / shorter side, at most."""


def pad_thin(image: np.ndarray) -> np.ndarray:
    """The image (H, W, 3), below and right of it black where a side is under 1 % of the other.

    Resized to a detector's input, a thinner image would have no pixel left.
    """
    height, width = image.shape[:2]
    least = math.ceil(max(height, width) / THINNEST)
    below, right = max(0, least - height), max(0, least - width)
    return np.pad(image, ((0, below), (0, right), (0, 0))) if below or right else image

"""Reading images so that no damaged one passes, and images too thin to resize.

Numpy, OpenCV and Pillow only.

Policy: what is cut, or what a decoder would have to make up, is no image, and neither is one of
more than MAX_PIXELS. Not found is a JPEG whose coefficients were altered into as many other valid
ones: the format has no checksum. PNG has, and libpng tests them.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from . import jpeg
from .files import alike, read_file

PNG = b'\x89PNG\r\n\x1a\n'
MAX_PIXELS = int(os.environ.get('OPENCV_IO_MAX_IMAGE_PIXELS', 2**27))
"""Of one image, as its header states them: 400 MB as BGR."""
MAX_SCANS = 100
"""Of one progressive JPEG; each is decoded at full size. Usual are ten."""
REMEMBERED = 2**20
_intact: set[int] = set()
"""Hashes of JPEGs that were judged already: in training, all but those of the first epoch."""


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
        other = alike(path)
        hint = f', but {ascii(other)} is there' if other else ''
        raise FileNotFoundError(f'{path}: no such file{hint}') from error
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
        ValueError: If the content is empty, cut, too large, no image, or a JPEG that lacks blocks.
    """
    try:
        check_encoded(content)
        image = decoder(content)
    except ValueError:
        raise
    except Exception as error:  # OpenCV, PIL and tifffile each have their own
        raise ValueError(f'cannot be decoded ({error})') from error
    if image is None:
        raise ValueError('not an image, or of an unknown format')
    return image


def check_encoded(content: bytes) -> None:
    """Refuse what no decoder should be given.

    Raises:
        ValueError: If the content is empty, cut, too large, or a JPEG without all of its blocks.
    """
    if not content:
        raise ValueError('the file is empty (0 bytes)')
    if content.startswith(jpeg.START):
        _check_jpeg(content)
    elif content.startswith(PNG):
        _check_png(content)
    else:
        _check_size(*_size_of(content))


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ValueError(
            f'{width}x{height} pixels, of at most {MAX_PIXELS}: make it smaller, or set the '
            'environment variable OPENCV_IO_MAX_IMAGE_PIXELS'
        )


def _check_jpeg(content: bytes) -> None:
    key = hash(content)
    if key in _intact:
        return
    found = jpeg.parse(content)
    _check_size(found.width, found.height)
    if found.scans > MAX_SCANS:
        raise ValueError(f'{found.scans} scans, of at most {MAX_SCANS}: save the image anew')
    jpeg.check_blocks(content, found)
    if len(_intact) < REMEMBERED:
        _intact.add(key)


def _check_png(content: bytes) -> None:
    """Follow the chunks to the last; libpng tests their checksums."""
    position, kind = len(PNG), b''
    while kind != b'IEND':
        length, kind = content[position : position + 4], content[position + 4 : position + 8]
        position += 12 + int.from_bytes(length, 'big')
        if len(kind) < 4 or position > len(content):
            raise ValueError('the image is cut: its end is missing')
    _check_size(*(int.from_bytes(content[i : i + 4], 'big') for i in (16, 20)))


def _size_of(content: bytes) -> tuple[int, int]:
    """Width and height of another format, 0 where Pillow does not know it."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.size
    except Image.DecompressionBombError as error:
        if MAX_PIXELS > 2 * Image.MAX_IMAGE_PIXELS:
            return 0, 0  # OpenCV holds to the limit that was set
        raise ValueError(str(error)) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return 0, 0


def as_image(image: np.ndarray | str | os.PathLike) -> np.ndarray:
    """A BGR image (H, W, 3) uint8 as it is, or the pixels of an image file.

    Raises:
        FileNotFoundError, ValueError: As :func:`read_image`; if an array is no such image.
    """
    if isinstance(image, str | os.PathLike):
        return read_image(os.fspath(image))
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size:
        if image.ndim == 3 and image.shape[2] == 3:
            return image
    given = (
        f'{image.dtype} of shape {image.shape}'
        if isinstance(image, np.ndarray)
        else type(image).__name__
    )
    raise ValueError(
        'the image must be a BGR array (H, W, 3) of uint8, as cv2.imread gives, or the path '
        f'of an image file; got {given}'
    )


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

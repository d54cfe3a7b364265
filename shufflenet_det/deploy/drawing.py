"""Pictures of detections: boxes on an image, and PNG files that say what they are; no torch."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray
from PIL import Image, PngImagePlugin

from shufflenet_det.checkpoints.atomic import replace_file

MARK = 'shufflenet_det detections'
"""In PNG's Software, behind a video and first in JSON: what carries it may be overwritten."""

BEHIND = b'JUNK' + (len(MARK) + 1).to_bytes(4, 'little') + MARK.encode() + b' '
"""A chunk of RIFF that players skip."""

GOLDEN = 0.618
"""Turn of the hue from class to class: neighbours differ most."""


def colour(label: int) -> tuple[int, int, int]:
    """BGR of a class."""
    rgb = colorsys.hsv_to_rgb(label * GOLDEN % 1, 0.9, 0.9)
    return tuple(int(255 * value) for value in reversed(rgb))


def draw(
    image: ndarray, boxes: ndarray, scores: ndarray, labels: ndarray, classes: Sequence[str]
) -> ndarray:
    """A copy of a BGR image (H, W, 3) with boxes (K, 4) x1, y1, x2, y2 in px, names and scores."""
    picture = np.ascontiguousarray(image).copy()
    size = max(0.4, min(image.shape[:2]) / 1200)
    width = max(1, round(2 * size))
    for box, score, label in zip(boxes, scores, labels, strict=True):
        x1, y1, x2, y2 = (int(value) for value in np.rint(box))
        shade = colour(int(label))
        cv2.rectangle(picture, (x1, y1), (x2, y2), shade, width)
        text = f'{classes[int(label)]} {score:.2f}'
        (across, above), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, width)
        x = max(0, min(x1, image.shape[1] - across))
        y = max(above + below, y1)
        cv2.rectangle(picture, (x, y - above - below), (x + across, y), shade, -1)
        place = x, y - below // 2
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (255,) * 3, width)
    return picture


def write_picture(path: str | Path, picture: ndarray) -> None:
    """Write a BGR picture as PNG that `is_drawn`.

    Raises:
        FileExistsError: If a file that is no such picture is there.
        OSError: If it cannot be written.
    """
    _write(Path(path), Image.fromarray(picture[..., ::-1]), compress_level=3)


def _write(path: Path, image: Image.Image, **options) -> None:
    check_free(path)
    fields, out = PngImagePlugin.PngInfo(), io.BytesIO()
    fields.add_text('Software', MARK)
    image.save(out, 'PNG', pnginfo=fields, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, out.getvalue())


def check_free(path: Path) -> None:
    """Refuse what is not ours to overwrite.

    Raises:
        FileExistsError: If a folder is there, or a file that no earlier run wrote.
    """
    if path.exists() and not is_ours(path):
        raise FileExistsError(
            f'{path}: is there and is of no earlier run; choose another name or --out-dir'
        )


def is_ours(path: Path) -> bool:
    """Whether an earlier run wrote this picture, video or JSON."""
    suffix = path.suffix.lower() if path.is_file() else ''
    try:
        if suffix == '.png':
            with Image.open(path) as image:
                return image.info.get('Software') == MARK
        if suffix in ('.avi', '.json'):
            with path.open('rb') as file:
                file.seek(max(0, path.stat().st_size - len(BEHIND)) if suffix == '.avi' else 0)
                return MARK.encode() in file.read(2 * len(BEHIND))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        pass
    return False


def contact_sheet(
    pictures: Sequence[Path], out_file: str | Path, columns: int = 4, side: int = 200
) -> None:
    """Write small pictures side by side as one PNG of 128 colours.

    Args:
        pictures: Image files, row by row.
        out_file: The PNG; as `check_sheet`.
        columns: Pictures in a row.
        side: Longer side of each, in px.

    Raises:
        ValueError: If there is no picture.
    """
    if not pictures:
        raise ValueError(
            f'{out_file}: there is no picture to put on the sheet; take --write pictures'
        )
    tiles = [fit(cv2.imread(str(path)), (side, side), 255) for path in pictures]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    sheet = Image.fromarray(np.vstack(rows)[..., ::-1])
    _write(Path(out_file), sheet.quantize(128), optimize=True)


def check_sheet(path: str | Path, sinks: Sequence[str]) -> None:
    """Refuse a name that `contact_sheet` should not write.

    Raises:
        ValueError: If it does not end in .png, or nothing is drawn for it.
        FileExistsError: As `check_free`.
    """
    if Path(path).suffix.lower() != '.png':
        raise ValueError(f'{path}: a sheet is a PNG; give it a name that ends in .png')
    if 'pictures' not in sinks:
        raise ValueError(f'{path}: there is no picture to put on the sheet; take --write pictures')
    check_free(Path(path))


def fit(image: ndarray, size: tuple[int, int], border: int = 0) -> ndarray:
    """The image in width and height with its aspect ratio; the rest has the value of border."""
    width, height = size
    factor = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    framed = np.full((height, width, 3), border, np.uint8)
    framed[: inner[1], : inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    return framed

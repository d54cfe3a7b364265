"""A blood smear drawn from a seed: red cells, white cells and platelets, with their boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy import ndarray
from numpy.random import Generator

from .photos import PHOTO_SETS

CLASSES = PHOTO_SETS['bccd'].classes
GROUND = (203, 212, 203)  # BGR of plasma
GRAIN = 2.5  # standard deviation of the camera's noise
GAP = 6.0  # px between two cells at least
_TRIES = 200
_SMOOTH = 4  # times finer than the picture, in which outlines are filled


@dataclass(frozen=True)
class Smear:
    """A picture and what stands in it.

    Args:
        pixels: BGR (H, W, 3) uint8.
        boxes: (K, 4) x1, y1, x2, y2 in px; every cell is whole.
        labels: (K,), an index into CLASSES.
    """

    pixels: ndarray
    boxes: ndarray
    labels: ndarray


@dataclass(frozen=True)
class Cell:
    """A kind of cell.

    Args:
        name: One of CLASSES.
        share: Of a picture of 640x480 px, how many there are.
        radii: Smallest and largest radius in px.
        paint: Draws one on an image (H, W, 3) float32 at x, y with a radius.
    """

    name: str
    share: int
    radii: tuple[float, float]
    paint: Callable[[ndarray, float, float, float, Generator], None]


def draw_smear(width: int = 640, height: int = 480, seed: int = 0) -> Smear:
    """Draw a smear, with as many cells to the area as in photographs of 640x480 px.

    Equal arguments give equal pictures under equal versions of numpy and OpenCV.

    Raises:
        ValueError: If a side is under 256 px, where a white cell finds no room.
    """
    if min(width, height) < 256:
        raise ValueError(f'a smear of {width}x{height} px: give 256 px or more to each side')
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), GROUND, np.float32)
    image += 6 * _cloud(rng, height, width)[..., None]
    placed: list[tuple[float, float, float, int]] = []
    for cell in CELLS:
        for _ in range(max(1, round(cell.share * width * height / (640 * 480)))):
            spot = _free_spot(placed, rng.uniform(*cell.radii), width, height, rng)
            if spot is not None:
                cell.paint(image, *spot, rng)
                placed.append((*spot, CLASSES.index(cell.name)))
    image = cv2.GaussianBlur(image, (0, 0), 1.2)
    image += rng.normal(0, GRAIN, image.shape).astype(np.float32)
    x, y, radius, labels = np.array(placed).T
    boxes = np.stack([x - radius, y - radius, x + radius, y + radius], 1).astype(np.float32)
    return Smear(image.clip(0, 255).astype(np.uint8), boxes, labels.astype(np.int64))


def _free_spot(
    placed: list, radius: float, width: int, height: int, rng: Generator
) -> tuple[float, float, float] | None:
    for _ in range(_TRIES):
        x, y = (rng.uniform(radius + 2, side - radius - 2) for side in (width, height))
        if all(np.hypot(x - a, y - b) > radius + r + GAP for a, b, r, _ in placed):
            return x, y, radius
    return None


def _cloud(rng: Generator, height: int, width: int) -> ndarray:
    """Smooth noise (height, width) of about -1 to 1."""
    grid = rng.uniform(-1, 1, (height // 80 + 3, width // 80 + 3)).astype(np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)


def _fill(
    image: ndarray, x: float, y: float, radius: float, colour: tuple, rng: Generator,
    wobble: float = 0.04, alpha: float = 1.0, soft: float = 1.0,
) -> None:  # fmt: skip
    """Blend a disc whose outline wobbles by a share of the radius; soft is the edge in px."""
    angle = np.linspace(0, 2 * np.pi, 120)
    waves = sum(np.cos(k * angle + rng.uniform(0, 2 * np.pi)) / k for k in (2, 3, 5))
    outline = radius * (1 - wobble + wobble * waves / 1.04)
    points = np.stack([x + outline * np.cos(angle), y + outline * np.sin(angle)], 1)
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    mask = cv2.GaussianBlur(mask, (0, 0), soft).astype(np.float32)[..., None] * (alpha / 255)
    image += mask * (np.array(colour, np.float32) - image)


def _red(image: ndarray, x: float, y: float, radius: float, rng: Generator) -> None:
    """A disc with a darker rim and a pale centre."""
    shade = rng.uniform(-10, 10) + rng.uniform(-3, 3, 3)
    _fill(image, x, y, radius, (128, 140, 188) + shade, rng)
    _fill(image, x, y, 0.86 * radius, (140, 152, 196) + shade, rng, alpha=0.8, soft=radius / 12)
    _fill(image, x, y, 0.40 * radius, (188, 198, 212) + shade, rng, 0.08, 0.8, radius / 7)


def _white(image: ndarray, x: float, y: float, radius: float, rng: Generator) -> None:
    """Pale cytoplasm around a lobed purple nucleus."""
    _fill(image, x, y, radius, (212, 190, 196), rng, 0.03)
    start = rng.uniform(0, 2 * np.pi)
    for lobe in range(3):
        angle = start + lobe * 1.5
        at = x + 0.3 * radius * np.cos(angle), y + 0.3 * radius * np.sin(angle)
        _fill(image, *at, 0.58 * radius, (172, 78, 112), rng, 0.1, 0.95, 2)
    for _ in range(40):
        angle, far = rng.uniform(0, 2 * np.pi), 0.65 * radius * rng.uniform() ** 0.5
        at = x + far * np.cos(angle), y + far * np.sin(angle)
        _fill(image, *at, rng.uniform(0.04, 0.1) * radius, (150, 60, 96), rng, 0.1, 0.35, 2)


def _platelet(image: ndarray, x: float, y: float, radius: float, rng: Generator) -> None:
    """A small purple body with a dark grain."""
    _fill(image, x, y, radius, (190, 150, 165), rng, 0.12, 0.9, 1.5)
    _fill(image, x, y, 0.55 * radius, (165, 95, 125), rng, 0.15, 0.9, 2)


CELLS = (
    Cell('WBC', 1, (86, 100), _white),
    Cell('RBC', 14, (46, 54), _red),
    Cell('Platelets', 3, (18, 22), _platelet),
)
"""In the order in which they find room: the largest first."""

"""Images of the demo set: outlined shapes on textured grounds, drawn from a random generator."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

IMAGE_SIDES = (224, 288)  # px, both ends included, drawn for height and width separately
OBJECTS = (1, 8)  # placed at most; the first always finds room
BOX_SIDES = (16, 160)  # px, both sides of every box
MAX_TURN = 20.0  # degrees either way
MAX_STRETCH = 1.3  # width against height, either way
MIN_VISIBLE = 0.75  # share of an object's pixels that later objects leave uncovered
MIN_CONTRAST = 140.0  # Euclidean colour distance between a fill and the mean of what it covers
DISTRACTORS = (0, 2)
_PLACE_TRIES = 20
_SUPERSAMPLE = 8

Outline = list[np.ndarray]  # closed contours (N, 2) as x, y with y downwards, filled even-odd


def _arc(start: float, stop: float, radius: float = 1.0, centre_x: float = 0.0) -> np.ndarray:
    angle = np.linspace(start, stop, 96)
    return np.stack([centre_x + radius * np.cos(angle), radius * np.sin(angle)], 1)


def _spokes(radii: list[float]) -> np.ndarray:
    angle = np.arange(len(radii)) * (2 * np.pi / len(radii)) - np.pi / 2
    return np.array(radii)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)


def _cross(arm: float = 0.3) -> np.ndarray:
    corner = np.array([(arm, -1.0), (arm, -arm), (1.0, -arm)])
    return np.concatenate([corner @ np.linalg.matrix_power([[0, 1], [-1, 0]], k) for k in range(4)])


def _crescent(radius: float = 0.8, shift: float = 0.5) -> np.ndarray:
    x = (1 - radius**2 + shift**2) / (2 * shift)  # where the bite's circle meets the unit circle
    outer, inner = np.arccos(x), np.arccos((x - shift) / radius)
    bite = _arc(2 * np.pi - inner, inner, radius, shift)
    return np.concatenate([_arc(outer, 2 * np.pi - outer), bite])


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 96)
    y = -13 * np.cos(t) + 5 * np.cos(2 * t) + 2 * np.cos(3 * t) + np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, y], 1)


SHAPES: dict[str, Outline] = {
    'disk': [_arc(0, 2 * np.pi)],
    'ring': [_arc(0, 2 * np.pi), _arc(0, 2 * np.pi, 0.55)],
    'square': [np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])],
    'triangle': [_spokes([1.0] * 3)],
    'star': [_spokes([1.0, 0.42] * 5)],
    'cross': [_cross()],
    'crescent': [_crescent()],
    'heart': [_heart()],
}


def coverage(outline: Outline, width: int, height: int) -> np.ndarray:
    """Anti-aliased mask (height, width) uint8 of an outline stretched to fill exactly that box."""
    points = np.concatenate(outline)
    low, extent = points.min(0), np.ptp(points, 0)
    size = np.array([width, height]) * _SUPERSAMPLE
    canvas = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(
        canvas, [np.rint((c - low) / extent * (size - 1)).astype(np.int32) for c in outline], 255
    )
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def random_coverage(outline: Outline, rng: Generator) -> np.ndarray:
    """Mask of the outline mirrored, stretched, turned and scaled at random, within BOX_SIDES."""
    stretch = np.exp(rng.uniform(-1, 1) * np.log(MAX_STRETCH)) * rng.choice([-1, 1])
    turn = _turn(np.deg2rad(rng.uniform(-MAX_TURN, MAX_TURN)))
    outline = [contour * (stretch, 1.0) @ turn for contour in outline]
    extent = np.ptp(np.concatenate(outline), 0)
    longer = rng.uniform(*BOX_SIDES)
    width, height = np.clip(np.rint(extent / extent.max() * longer), *BOX_SIDES).astype(int)
    return coverage(outline, int(width), int(height))


def _noise(rng: Generator, height: int, width: int, cell: int) -> np.ndarray:
    grid = rng.uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)


def _ramp(rng: Generator, height: int, width: int) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))


def _stripes(rng: Generator, height: int, width: int) -> np.ndarray:
    return np.sin(_ramp(rng, height, width) * np.float32(2 * np.pi / rng.uniform(4, 24)))


def _gradient(rng: Generator, height: int, width: int) -> np.ndarray:
    ramp = _ramp(rng, height, width)
    return 2 * (ramp - ramp.min()) / np.ptp(ramp) - 1


_PATTERNS: tuple[Callable[[Generator, int, int], np.ndarray], ...] = (
    lambda rng, h, w: _noise(rng, h, w, 2),
    lambda rng, h, w: _noise(rng, h, w, 24),
    _stripes,
    lambda rng, h, w: np.sign(_stripes(rng, h, w)) * np.sign(_stripes(rng, h, w)),
    _gradient,
)


def texture(rng: Generator, height: int, width: int, colour: np.ndarray) -> np.ndarray:
    """A random pattern around a colour: (height, width, 3) float32 in 0..255."""
    pattern = _PATTERNS[rng.integers(len(_PATTERNS))](rng, height, width)
    swing = rng.uniform(-18, 18, 3)
    grain = rng.normal(0, rng.uniform(2, 8), (height, width, 1))
    return np.clip(colour + pattern[..., None] * swing + grain, 0, 255).astype(np.float32)


def _contrasting(rng: Generator, under: np.ndarray) -> np.ndarray:
    while np.linalg.norm((colour := rng.uniform(0, 255, 3)) - under) < MIN_CONTRAST:
        pass
    return colour


def _paint(image: np.ndarray, mask: np.ndarray, x: int, y: int, rng: Generator) -> None:
    height, width = mask.shape
    patch = image[y : y + height, x : x + width]
    alpha = (mask / np.float32(255))[..., None]
    under = (patch * alpha).sum((0, 1)) / alpha.sum()
    fill = texture(rng, height, width, _contrasting(rng, under))
    patch += alpha * (fill - patch)


def _random_corner(rng: Generator, image: np.ndarray, mask: np.ndarray) -> tuple[int, int]:
    room = np.array(image.shape[1::-1]) - mask.shape[::-1]
    x, y = rng.integers(0, room, endpoint=True)
    return int(x), int(y)


def _blob(image: np.ndarray, rng: Generator) -> None:
    t = np.linspace(0, 2 * np.pi, 96)
    phase = rng.uniform(0, 2 * np.pi, 3)
    radius = 1 + sum(0.25 * np.cos(k * t + p) for k, p in zip((2, 3, 5), phase, strict=True))
    contour = (radius * np.stack([np.cos(t) * rng.uniform(1.6, 2.4), np.sin(t)])).T
    mask = random_coverage([contour @ _turn(rng.uniform(0, 2 * np.pi))], rng)
    _paint(image, mask, *_random_corner(rng, image, mask), rng)


def _strokes(image: np.ndarray, points: np.ndarray, rng: Generator, thickest: int) -> None:
    """Draws open polylines (L, N, 2) in one colour."""
    colour = _contrasting(rng, image.mean((0, 1)))
    thickness = int(rng.integers(1, thickest, endpoint=True))
    canvas = np.zeros(image.shape[:2], np.uint8)  # OpenCV smooths lines on 8-bit images only
    cv2.polylines(
        canvas,
        list(np.rint(points * 16).astype(np.int32)),
        False,
        255,
        thickness,
        cv2.LINE_AA,
        shift=4,
    )
    image += (canvas / np.float32(255))[..., None] * (colour.astype(np.float32) - image)


def _lines(image: np.ndarray, rng: Generator) -> None:
    height, width = image.shape[:2]
    ends = rng.uniform(0, 1, (int(rng.integers(1, 4)), 2, 2)) * (width, height)
    _strokes(image, ends, rng, 4)


def _script(image: np.ndarray, rng: Generator) -> None:
    """A row of glyph-like zigzags."""
    count, size = int(rng.integers(3, 9)), rng.uniform(6, 20)
    glyphs = rng.integers(0, 3, (count, 5, 2)) / (3.0, 2.0)
    glyphs[..., 0] += np.arange(count)[:, None]
    corner = rng.uniform(0, 0.8, 2) * image.shape[1::-1]
    _strokes(image, glyphs * size + corner, rng, 2)


_DISTRACTORS = (_blob, _lines, _script)


@dataclass(frozen=True)
class Placed:
    """One object: class name, upper left corner of its box in px, whole mask (h, w) uint8."""

    name: str
    x: int
    y: int
    mask: np.ndarray


class _Ownership:
    """Which object each pixel shows, so that no object gets hidden by later ones."""

    def __init__(self, height: int, width: int) -> None:
        self.owner = np.zeros((height, width), np.int64)  # 0 is the background
        self.least = np.array([0])  # pixels that have to stay visible
        self.seen = np.array([height * width])

    def claim(self, mask: np.ndarray, x: int, y: int) -> bool:
        """Gives the mask's pixels to a new object unless that hides an earlier one."""
        ink = mask > 0
        region = self.owner[y : y + mask.shape[0], x : x + mask.shape[1]]
        seen = self.seen - np.bincount(region[ink], minlength=len(self.seen))
        if (seen < self.least).any():
            return False
        region[ink] = len(self.seen)
        self.seen = np.append(seen, ink.sum())
        self.least = np.append(self.least, MIN_VISIBLE * ink.sum())
        return True


def compose(rng: Generator, empty: bool = False) -> tuple[np.ndarray, list[Placed]]:
    """Draws an image (H, W, 3) uint8 BGR; its objects are listed from the lowest to the top one."""
    height, width = (int(side) for side in rng.integers(*IMAGE_SIDES, 2, endpoint=True))
    image = texture(rng, height, width, rng.uniform(0, 255, 3))
    for _ in range(rng.integers(*DISTRACTORS, endpoint=True)):
        _DISTRACTORS[rng.integers(len(_DISTRACTORS))](image, rng)
    ownership, objects = _Ownership(height, width), []
    for _ in range(0 if empty else rng.integers(*OBJECTS, endpoint=True)):
        name = str(rng.choice(list(SHAPES)))
        mask = random_coverage(SHAPES[name], rng)
        for _ in range(_PLACE_TRIES):
            x, y = _random_corner(rng, image, mask)
            if ownership.claim(mask, x, y):
                _paint(image, mask, x, y, rng)
                objects.append(Placed(name, x, y, mask))
                break
    return np.rint(image).clip(0, 255).astype(np.uint8), objects

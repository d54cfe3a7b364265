"""Masks as annotation files write them: polygons, and run lengths (RLE) as numbers or text."""

from __future__ import annotations

from collections.abc import Mapping

from pycocotools import mask as masks

from .faults import LARGEST
from .values import is_finite, number, whole

LETTERS = range(48, 112)
"""Of run lengths as text: 48 and six bits, of which the sixth says that more follow."""

MOST_BITS = 60
"""Of a run length as text."""


def box_of(segmentation: object) -> tuple[list[float], float] | None:
    """x, y, width, height and area of polygons [[x, y, x, y, ...], ...] or of an RLE mask.

    None of what is neither, or empty.
    """
    if isinstance(segmentation, Mapping):
        return _box_of_mask(segmentation)
    polygons = _polygons(segmentation)
    if not polygons:
        return None
    points, area = [], 0.0
    for values in polygons:
        corners = list(zip(values[::2], values[1::2], strict=True))
        following = corners[1:] + corners[:1]
        pairs = zip(corners, following, strict=True)
        area += abs(sum(x * v - u * y for (x, y), (u, v) in pairs)) / 2
        points += corners
    (left, right), (top, bottom) = ((min(v), max(v)) for v in zip(*points, strict=True))
    return [left, top, right - left, bottom - top], area


def is_mask(segmentation: object) -> bool:
    """Whether pycocotools makes a mask of it, instead of an error of its own or a crash."""
    if isinstance(segmentation, Mapping):
        return _runs_of(segmentation) is not None
    return bool(_polygons(segmentation))


def _polygons(segmentation: object) -> list[list[float]] | None:
    """Their coordinates; None if one of them has too few, an odd number, or other than numbers."""
    found = []
    for polygon in segmentation if isinstance(segmentation, list) else []:
        values = [number(v) for v in polygon] if isinstance(polygon, list) else []
        if len(values) < 6 or len(values) % 2 or not all(map(_is_place, values)):
            return None
        found.append(values)
    return found


def _is_place(value: float | None) -> bool:
    return is_finite(value) and abs(value) <= LARGEST


def _runs_of(mask: Mapping) -> tuple[int, list[int]] | None:
    """Height of an RLE mask, and its runs of 0 and 1 in turn, down one column after the other."""
    size, counts = mask.get('size'), mask.get('counts')
    sides = [whole(side) for side in size] if isinstance(size, (list, tuple)) else []
    runs = _runs_of_text(counts) if isinstance(counts, str) else counts
    if len(sides) != 2 or None in sides or not all(1 <= side <= LARGEST for side in sides):
        return None
    counted = isinstance(runs, list) and all(type(run) is int and run >= 0 for run in runs)
    return (sides[0], runs) if counted and sum(runs) == sides[0] * sides[1] else None


def _runs_of_text(text: str) -> list[int] | None:
    """Run lengths that stand as text: from the fourth on, each less the one before the last."""
    runs, value, shift = [], 0, 0
    for letter in map(ord, text):
        if letter not in LETTERS or shift > MOST_BITS:
            return None
        bits = letter - LETTERS.start
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (1 << shift) if bits & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return None if shift else runs


def _box_of_mask(mask: Mapping) -> tuple[list[float], float] | None:
    """By pycocotools, which is given no mask that it would crash on."""
    if _runs_of(mask) is None:
        return None
    size, counts = [whole(side) for side in mask['size']], mask['counts']
    rle = dict(size=size, counts=counts)
    rle = rle if isinstance(counts, str) else masks.frPyObjects(rle, *size)
    area = float(masks.area(rle))
    return (masks.toBbox(rle).tolist(), area) if area else None

"""How to train on a small set of one's own: decided from what is counted in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shufflenet_det.data.own_set import OwnSet

STEPS, STEPS_OF = 1000, 100
"""Steps for as many images; with more of them steps grow with the root, as in data/photos.py."""

VALIDATIONS = 10
SIZES = (320, 416)
SMALL = 16
"""px; where a quarter of the boxes has a smaller side at 320 px, the larger input is taken."""


@dataclass(frozen=True)
class Counts:
    """What a set is like.

    Args:
        images: Number of images to train on.
        long_side: Median of their longer sides, px.
        box_side: Root of the area of a box by the longer side of its image: a quarter is below.
    """

    images: int
    long_side: float
    box_side: float


@dataclass(frozen=True)
class Recipe:
    """What a config says before anything is decided."""

    batch_size: int
    lr: float


@dataclass(frozen=True)
class Settings:
    """How to train.

    Args:
        lr: Of the optimizer.
        size: Longer side of the input, px.
        val_interval: Epochs from one validation to the next.
    """

    batch_size: int
    epochs: int
    lr: float
    size: int
    val_interval: int


CHOSEN = ('batch_size', 'epochs', 'lr', 'size')
"""Fields of Settings that can be given in place of being decided."""

LEAST = dict(batch_size=1, epochs=1, size=96)
"""px of size: batch norm needs two cells of stride 64, also in the smallest pictures drawn."""


def count(own: OwnSet) -> Counts:
    """What is counted in the images to train on."""
    images = own.images['train']
    boxes = [(i, o['bbox']) for i in images for o in i.objects]
    sides = [math.sqrt(w * h) / max(i.width, i.height) for i, (_, _, w, h) in boxes]
    return Counts(
        len(images),
        float(np.median([max(i.width, i.height) for i in images])),
        float(np.percentile(sides, 25)) if sides else 0.0,
    )


def decide(counts: Counts, recipe: Recipe, given: Mapping | None = None) -> tuple[Settings, dict]:
    """Settings for a set, and why each is so.

    Args:
        given: Values of CHOSEN that are not to be decided.

    Returns:
        The settings, and name -> reason of each of CHOSEN.

    Raises:
        ValueError: If a given value is no number to train with.
    """
    given = {key: value for key, value in (given or {}).items() if value is not None}
    _check(given)
    batch = given.get('batch_size', min(recipe.batch_size, max(2, counts.images // 4)))
    per_epoch = math.ceil(counts.images / batch)
    steps = round(STEPS * max(1, counts.images / STEPS_OF) ** 0.5)
    epochs = given.get('epochs', math.ceil(steps / per_epoch))
    lr = given.get('lr', recipe.lr * (batch / recipe.batch_size) ** 0.5)
    smallest, largest = SIZES
    side = counts.box_side * smallest
    fine = side < SMALL and counts.long_side > smallest
    size = given.get('size', largest if fine else smallest)
    reasons = dict(
        batch_size=f'that of the recipe is {recipe.batch_size}; {counts.images} images give '
        f'{per_epoch} steps an epoch',
        epochs=f'{epochs * per_epoch} steps; {STEPS} for {STEPS_OF} images or fewer, with more '
        'images by the root of their number',
        lr=f'that of the recipe is {recipe.lr:g} at batch {recipe.batch_size}, by the root of it',
        size=f'a quarter of the boxes is below {side:.0f} px at {smallest} px, images have '
        f'{counts.long_side:.0f} px; below {SMALL} px and for larger images {largest} is taken',
    )
    reasons.update({key: 'as given' for key in given})
    interval = max(1, epochs // VALIDATIONS)
    return Settings(batch, epochs, lr, size, interval), reasons


def _check(given: Mapping) -> None:
    for key, value in given.items():
        least = LEAST.get(key)
        fits = type(value) is int and value >= least if least else type(value) in (int, float)
        if not fits or not 0 < value < math.inf:
            wanted = f'a whole number from {least} on' if least else 'a number above 0'
            raise ValueError(
                f'own_photos.{key}={value!r}: give {wanted}, or None to have it decided'
            )

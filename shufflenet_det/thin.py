"""Images so thin that a resize would leave no pixel of them; numpy only."""

from __future__ import annotations

import math

import numpy as np

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

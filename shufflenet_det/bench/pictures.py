"""Real pictures as inputs of detectors: what is on them decides the cost of suppression."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from shufflenet_det.data.pixels import read_image
from shufflenet_det.deploy.sources import find_images


@dataclass(frozen=True)
class Pictures:
    """Pictures of a folder, which take turns.

    Args:
        images: BGR (H, W, 3) uint8.
        resized: Whether resizing and normalising are part of what is timed.
    """

    images: tuple[np.ndarray, ...]
    resized: bool = False

    @classmethod
    def of_folder(cls, folder: str | Path, resized: bool = False) -> Pictures:
        """Read a folder.

        Raises:
            FileNotFoundError: If it has no pictures.
            ValueError: If one of them cannot be read.
        """
        return cls(tuple(read_image(path) for path in find_images(folder)), resized)

    def batch(self, turn: int, size: int) -> list[np.ndarray]:
        """The pictures of a turn."""
        return [self.images[(turn * size + i) % len(self.images)] for i in range(size)]


def fit(picture: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """A picture at its own aspect ratio in the upper left of (H, W, 3), black behind it.

    Returns:
        The padded picture, and (H, W) of what it holds.
    """
    height, width = picture.shape[:2]
    factor = min(size[0] / height, size[1] / width)
    inside = max(round(height * factor), 1), max(round(width * factor), 1)
    padded = np.zeros((*size, 3), np.uint8)
    padded[: inside[0], : inside[1]] = cv2.resize(picture, inside[::-1])
    return padded, inside


def pixels_of(
    pictures: list[np.ndarray], size: tuple[int, int]
) -> tuple[Tensor, list[tuple[int, int]]]:
    """Pixels (N, 3, H, W) uint8, BGR, and (H, W) of what each picture fills."""
    fitted = [fit(picture, size) for picture in pictures]
    stacked = np.stack([picture for picture, _ in fitted]).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(stacked)), [inside for _, inside in fitted]


def normalise(pixels: Tensor, preprocessor: nn.Module) -> Tensor:
    """Pixels (N, 3, H, W) uint8 as a detector's own preprocessing gives them, in single precision.

    Args:
        pixels: BGR.
        preprocessor: A DetDataPreprocessor of MMDetection.
    """
    x = pixels.flip(1) if preprocessor._channel_conversion else pixels
    x = x.float()
    if preprocessor._enable_normalize:
        x = (x - preprocessor.mean.to(x)) / preprocessor.std.to(x)
    return x

"""Averages of bilinear samples over the bins of RoIs, whose points may lie anywhere."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Samples(NamedTuple):
    """The T sample points of all bins of K RoIs, bin by bin; points (T, 2) are y and x in pixels.

    roi (T,) and bin (T,) are indices into the K RoIs and K * PH * PW bins.
    """

    roi: Tensor
    bin: Tensor
    corner: Tensor  # of the bin, from the RoI's
    step: Tensor  # from the bin's corner
    per_bin: Tensor  # (K * PH * PW,)


def bin_samples(sides: Tensor, size: tuple[int, int], sampling_ratio: int) -> Samples:
    """Samples of bins (PH, PW) of RoIs with sides (K, 2), height and width in pixels of the map.

    With `sampling_ratio` 0 a bin has one sample per pixel of its sides, rounded up; none where a
    side is 0 or less.
    """
    bin_sides = sides / sides.new_tensor(size)
    if sampling_ratio > 0:
        grid = torch.full_like(sides, sampling_ratio, dtype=torch.long)
    else:
        grid = bin_sides.ceil().long().clamp(min=0)
    per_bin = grid.prod(1).repeat_interleave(size[0] * size[1])
    bin = torch.arange(len(per_bin), device=sides.device).repeat_interleave(per_bin)
    sample = torch.arange(len(bin), device=sides.device) - (per_bin.cumsum(0) - per_bin)[bin]
    roi = bin // (size[0] * size[1])
    grid, bin_sides = grid[roi], bin_sides[roi]
    place = torch.stack((bin // size[1] % size[0], bin % size[1]), dim=1)
    inner = torch.stack((sample // grid[:, 1], sample % grid[:, 1]), dim=1)
    # In this order, which is mmcv's: points then meet the map's border exactly as there.
    step = (inner + sides.new_tensor(0.5)) * bin_sides / grid
    return Samples(roi, bin, place * bin_sides, step, per_bin)


class Corners(NamedTuple):
    """The four pixels around T points: top left, top right, bottom left, bottom right.

    index (T, 4) into H * W, weight (T, 4); low and high (T, 2) are their rows and columns.
    """

    index: Tensor
    weight: Tensor
    low: Tensor
    high: Tensor
    inside: Tensor  # (T,)


def corners(points: Tensor, size: tuple[int, int]) -> Corners:
    """Pixels around points (T, 2), y and x, of a map (H, W).

    Within one pixel of the map the border's value holds; farther out all weights are 0.
    """
    last = torch.tensor(size, device=points.device) - 1
    inside = ((points >= -1) & (points <= last + 1)).all(1)
    held = points.where(inside[:, None], 0).clamp(min=0).minimum(last)
    low = held.floor().long()
    high = (low + 1).minimum(last)
    part = held - low
    weight = torch.stack((1 - part, part), dim=2)  # (T, yx, low and high)
    weight = weight[:, 0, :, None] * weight[:, 1, None] * inside[:, None, None]
    pixels = torch.stack((low, high), dim=2)
    index = pixels[:, 0, :, None] * size[1] + pixels[:, 1, None]
    return Corners(index.flatten(1), weight.flatten(1), low, high, inside)


def bin_means(
    maps: Tensor, image: Tensor, index: Tensor, weight: Tensor, per_bin: Tensor
) -> Tensor:
    """Means (bins, C) of maps (N, C, H, W) over the samples `per_bin` (bins,), 0 where none is.

    image (T,) is each sample's map; index and weight (T, 4) are those of `corners`.
    """
    pixels = maps.permute(0, 2, 3, 1).flatten(0, 2)  # (NHW, C)
    index = index + (image * maps.shape[2:].numel())[:, None]
    sums = F.embedding_bag(
        index.flatten(),
        pixels,
        (per_bin.cumsum(0) - per_bin) * 4,
        mode='sum',
        per_sample_weights=weight.flatten(),
    )
    return sums / per_bin.clamp(min=1)[:, None]

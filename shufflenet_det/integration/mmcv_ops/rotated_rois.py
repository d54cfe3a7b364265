"""RoI align over rotated boxes; rois (K, 6) are batch index, centre x, y, width, height, angle."""

import torch
from torch import Tensor

from .gradients import write_grads
from .rois import guard_rois
from .sampling import bin_means, bin_samples, corners
from .upcast import upcast


def roi_align_rotated_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
    clockwise: bool,
) -> None:
    """Means (K, C, PH, PW) over the bins of boxes on maps (N, C, H, W), into `output`."""
    geometry = (output.shape[2:], spatial_scale, sampling_ratio, aligned, clockwise)
    output.copy_(_pool(upcast(input), upcast(rois), *geometry))


def roi_align_rotated_backward(
    grad_output: Tensor,
    rois: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
    clockwise: bool,
) -> None:
    """Gradient of the maps, into `grad_input`."""
    geometry = (grad_output.shape[2:], spatial_scale, sampling_ratio, aligned, clockwise)
    rois, grads = upcast(rois), (grad_input,)
    # Linear in the maps, so that any maps of this shape give the derivative.
    write_grads(lambda maps: _pool(maps, rois, *geometry), grads, grad_output, grads)


def _pool(
    maps: Tensor,
    rois: Tensor,
    size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
    clockwise: bool,
) -> Tensor:
    rois = torch.cat((guard_rois(rois[:, :5], maps.shape, spatial_scale), rois[:, 5:]), dim=1)
    centre = rois[:, [2, 1]] * spatial_scale - (0.5 if aligned else 0)
    sides = rois[:, [4, 3]] * spatial_scale
    sides = sides if aligned else sides.clamp(min=1)
    samples = bin_samples(sides, size, sampling_ratio)
    y, x = (-sides[samples.roi] / 2 + samples.corner + samples.step).unbind(1)
    angle = (-rois[:, 5] if clockwise else rois[:, 5]).nan_to_num(0)[samples.roi]
    cos, sin = angle.cos(), angle.sin()
    points = torch.stack((y * cos - x * sin, y * sin + x * cos), dim=1) + centre[samples.roi]
    around = corners(points, maps.shape[2:])
    image = rois[samples.roi, 0].long()
    means = bin_means(maps, image, around.index, around.weight, samples.per_bin)
    return means.unflatten(0, (len(rois), *size)).movedim(-1, 1)

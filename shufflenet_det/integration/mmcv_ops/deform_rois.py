"""Deformable RoI pooling (arXiv:1703.06211, section 2.2): bins moved by predicted offsets."""

import torch
from torch import Tensor

from .rois import guard_rois
from .sampling import Corners, Samples, bin_means, bin_samples, corners
from .upcast import upcast


def deform_roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    output: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> None:
    """Means over the moved bins of rois (K, 5) on maps (N, C, H, W), into `output` (K, C, PH, PW).

    offset (K, 2, PH, PW) are x and y in sides of the RoI times gamma; empty for bins in place.
    """
    input, rois = upcast(input), upcast(rois)
    rois = guard_rois(rois, input.shape, spatial_scale)
    sides, samples, _, around = _moved_samples(
        rois, upcast(offset), output.shape[2:], spatial_scale, sampling_ratio, gamma, input.shape
    )
    means = bin_means(
        input, rois[samples.roi, 0].long(), around.index, around.weight, samples.per_bin
    )
    output.copy_(means.unflatten(0, (len(rois), *output.shape[2:])).movedim(-1, 1))


def deform_roi_pool_backward(
    grad_output: Tensor,
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> None:
    """Gradients of maps and offsets, into the buffers given.

    A sample within one pixel outside the map moves the gradient of its offset as if the map went on
    in a straight line, as in mmcv's kernel.
    """
    rois = guard_rois(upcast(rois), input.shape, spatial_scale)
    sides, samples, points, around = _moved_samples(
        rois, upcast(offset), grad_output.shape[2:], spatial_scale, sampling_ratio, gamma,
        input.shape,
    )  # fmt: skip
    image = rois[samples.roi, 0].long()
    with torch.enable_grad():
        maps = upcast(input).detach().requires_grad_()
        weight = around.weight.requires_grad_()
        means = bin_means(maps, image, around.index, weight, samples.per_bin)
    grad = upcast(grad_output).movedim(1, -1).flatten(0, 2)
    grad_maps, grad_weight = torch.autograd.grad(means, (maps, weight), grad)
    grad_input.copy_(grad_maps)
    if offset.numel():
        slopes = _slopes(grad_weight, points, around) * gamma * sides[samples.roi]
        total = slopes.new_zeros(len(samples.per_bin), 2).index_add_(0, samples.bin, slopes)
        total = total.view(len(rois), *grad_output.shape[2:], 2)
        grad_offset.copy_(total.flip(-1).movedim(-1, 1))


def _moved_samples(
    rois: Tensor,
    offset: Tensor,
    size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
    maps: torch.Size,
) -> tuple[Tensor, Samples, Tensor, Corners]:
    """Sides (K, 2) of the RoIs on the map, samples, their points (T, 2) and pixels around them."""
    start, end = (rois[:, axes] * spatial_scale - 0.5 for axes in ([2, 1], [4, 3]))
    sides = end - start
    samples = bin_samples(sides, size, sampling_ratio)
    start, roi_sides = start[samples.roi], sides[samples.roi]
    if offset.numel():
        moves = offset.flip(1).movedim(1, -1).flatten(0, 2)  # (K * PH * PW, yx)
        start = start + gamma * roi_sides * moves[samples.bin]
    points = start + samples.corner + samples.step
    return sides, samples, points, corners(points, maps[2:])


def _slopes(pixels: Tensor, points: Tensor, around: Corners) -> Tensor:
    """Derivatives (T, 2) along y and x of bilinear samples of pixels (T, 4)."""
    top_left, top_right, bottom_left, bottom_right = pixels.unbind(1)
    below, above = (points - around.low).unbind(1), (around.high - points).unbind(1)
    along_y = (bottom_right - top_right) * below[1] + (bottom_left - top_left) * above[1]
    along_x = (bottom_right - bottom_left) * below[0] + (top_right - top_left) * above[0]
    return torch.stack((along_y, along_x), dim=1) * around.inside[:, None]

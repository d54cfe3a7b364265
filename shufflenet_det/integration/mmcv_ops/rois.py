"""RoI pooling; rois (K, 5) are batch index, x1, y1, x2, y2 in image pixels.

Results are written into the tensors that the caller passes: output (K, C, PH, PW) and, for the
backward functions, grad_input (N, C, H, W).
"""

from collections.abc import Iterator

import torch
import torchvision
from torch import Tensor
from torch.nn import functional as F

from .upcast import upcast

MAX_POOL = 0
# RoI coordinates are held within this many map sizes of the origin.
REACH = 16


def guard_rois(rois: Tensor, maps: torch.Size, spatial_scale: float) -> Tensor:
    """RoIs (K, 5) on maps (N, C, H, W) that no kernel can crash on or take forever.

    NaN becomes 0, the rest is held within `REACH` map sizes; others are returned bit for bit.

    Raises:
        ValueError: On a batch index outside 0 to N - 1; not looked at in traced graphs.
    """
    traced = torch.jit.is_tracing() or torch.compiler.is_compiling()
    if not traced and not (rois.is_cuda and torch.cuda.is_current_stream_capturing()):
        index = rois[:, 0]
        bad = ~((index >= 0) & (index < maps[0]))
        if bad.any():
            raise ValueError(
                f'rois[:, 0] is the index of the image in the batch: expected 0 to {maps[0] - 1}, '
                f'got {index[bad].unique().tolist()}'
            )
    limit = REACH * max(maps[2:]) / spatial_scale
    return torch.cat((rois[:, :1], rois[:, 1:].nan_to_num(0).clamp(-limit, limit)), dim=1)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """RoI align (arXiv:1703.06870); max mode takes the largest sample of each bin.

    In max mode `argmax_y` and `argmax_x` receive row and column of that sample within its bin
    (small numbers, exact in half precision); they are only for `roi_align_backward`.
    """
    size = (aligned_height, aligned_width)
    input = upcast(input)
    rois = guard_rois(rois.to(input.dtype), input.shape, spatial_scale)
    if pool_mode != MAX_POOL:
        rois = _flatten_reversed(rois, sampling_ratio, aligned)
        output.copy_(
            torchvision.ops.roi_align(input, rois, size, spatial_scale, sampling_ratio, aligned)
        )
        return
    for (gy, gx), members in _sampling_grids(rois, size, spatial_scale, sampling_ratio, aligned):
        grid = (size[0] * gy, size[1] * gx)
        samples = torchvision.ops.roi_align(input, rois[members], grid, spatial_scale, 1, aligned)
        values, indices = F.max_pool2d(samples, (gy, gx), return_indices=True)
        output[members] = values.to(output.dtype)
        argmax_y[members] = (indices // grid[1] % gy).to(argmax_y.dtype)
        argmax_x[members] = (indices % grid[1] % gx).to(argmax_x.dtype)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Its gradient, into `grad_input`."""
    size = (aligned_height, aligned_width)
    grad = upcast(grad_output)
    rois = guard_rois(rois.to(grad.dtype), grad_input.shape, spatial_scale)

    def add(grad: Tensor, rois: Tensor, sampling_ratio: int) -> None:
        grad_input.add_(
            torch.ops.torchvision._roi_align_backward(
                grad.contiguous(), rois, spatial_scale, *grad.shape[2:], *grad_input.shape,
                sampling_ratio, aligned,
            )
        )  # fmt: skip

    if pool_mode != MAX_POOL:
        add(grad, _flatten_reversed(rois, sampling_ratio, aligned), sampling_ratio)
        return
    for (gy, gx), members in _sampling_grids(rois, size, spatial_scale, sampling_ratio, aligned):
        grid = (size[0] * gy, size[1] * gx)
        rows = argmax_y[members].long() + torch.arange(0, grid[0], gy, device=grad.device)[:, None]
        columns = argmax_x[members].long() + torch.arange(0, grid[1], gx, device=grad.device)
        indices = rows * grid[1] + columns
        samples = grad.new_zeros(len(members), grad.size(1), grid[0] * grid[1])
        samples.scatter_(2, indices.flatten(2), grad[members].flatten(2))
        add(samples.unflatten(2, grid), rois[members], 1)


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """RoI max pooling (arXiv:1504.08083) with mmcv's bins: x2 + 1, scaled, not rounded before.

    `argmax` receives the index into H * W of each maximum, -1 for an empty bin (value 0).
    torchvision rounds the scaled corners first and therefore cannot be used.
    """
    height, width = input.shape[2:]
    rois = guard_rois(rois, input.shape, spatial_scale)
    y_start, y_end = _pool_bins(rois[:, 2], rois[:, 4], pooled_height, spatial_scale, height)
    x_start, x_end = _pool_bins(rois[:, 1], rois[:, 3], pooled_width, spatial_scale, width)
    malformed = ((y_end <= y_start).all(1) | (x_end <= x_start).all(1)).tolist()
    tallest = (y_end - y_start).amax(1).clamp(min=1).tolist()
    widest = (x_end - x_start).amax(1).clamp(min=1).tolist()
    batch_index = rois[:, 0].long().tolist()
    output.zero_()
    argmax.fill_(-1)
    for k, batch in enumerate(batch_index):
        if malformed[k]:
            continue
        y = y_start[k, :, None] + torch.arange(tallest[k], device=input.device)  # (PH, bin height)
        x = x_start[k, :, None] + torch.arange(widest[k], device=input.device)  # (PW, bin width)
        inside = (y < y_end[k, :, None])[:, None, :, None] & (x < x_end[k, :, None])[:, None]
        index = y.clamp(max=height - 1)[:, None, :, None] * width + x.clamp(max=width - 1)[:, None]
        pixels = input[batch].flatten(1)[:, index.flatten(2)]  # (C, PH, PW, bin area)
        inside = inside.flatten(2)
        values, best = pixels.masked_fill(~inside, -torch.inf).max(3)
        filled = inside.any(2)
        output[k] = values.where(filled, 0)
        places = index.flatten(2).expand_as(pixels).gather(3, best[..., None])[..., 0]
        argmax[k] = places.where(filled, -1).int()


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Its gradient, into `grad_input`."""
    channels, height, width = grad_input.shape[1:]
    plane = rois[:, :1].long() * channels + torch.arange(channels, device=rois.device)  # (K, C)
    index = plane[:, :, None, None] * (height * width) + argmax
    filled = argmax >= 0
    grad_input.view(-1).index_add_(0, index[filled], grad_output[filled])


def _flatten_reversed(rois: Tensor, sampling_ratio: int, aligned: bool) -> Tensor:
    """RoIs (K, 5) without reversed ones where a bin's samples are counted by its size.

    Their value is then 0, that of an area of 0; torchvision's CPU kernel would allocate a negative
    number of samples.
    """
    if not aligned or sampling_ratio > 0:
        return rois
    return torch.cat((rois[:, :3], torch.maximum(rois[:, 1:3], rois[:, 3:])), dim=1)


def _sampling_grids(
    rois: Tensor, size: tuple[int, int], spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Iterator[tuple[tuple[int, int], Tensor]]:
    """Groups of RoIs by their samples per bin (rows, columns); RoIs without samples are left out.

    With `sampling_ratio` 0 a bin has one sample per feature pixel, rounded up.
    """
    if sampling_ratio > 0:
        yield (sampling_ratio, sampling_ratio), torch.arange(len(rois), device=rois.device)
        return
    sides = (rois[:, [4, 3]] - rois[:, [2, 1]]) * spatial_scale
    sides = sides if aligned else sides.clamp(min=1)
    grids, group = (sides / sides.new_tensor(size)).ceil().long().unique(dim=0, return_inverse=True)
    for i, (rows, columns) in enumerate(grids.tolist()):
        if rows > 0 and columns > 0:
            yield (rows, columns), (group == i).nonzero()[:, 0]


def _pool_bins(
    low: Tensor, high: Tensor, bins: int, spatial_scale: float, limit: int
) -> tuple[Tensor, Tensor]:
    """First and one past the last pixel of each bin (K, bins); none for reversed RoIs."""
    start = low * spatial_scale
    side = ((high + 1) * spatial_scale - start)[:, None]
    edges = start[:, None] + torch.arange(bins + 1, device=low.device) * side / bins
    first = edges[:, :-1].floor().clamp(0, limit).long()
    last = edges[:, 1:].ceil().clamp(0, limit).long()
    return first, last.where(side > 0, first)

"""Features aligned with rotated boxes (R3Det, arXiv:1908.05612) and turned filters (1701.01833)."""

import torch
from torch import Tensor

from .gradients import write_grads
from .sampling import bin_means, corners
from .upcast import upcast


def rotated_feature_align_forward(
    features: Tensor, best_rbboxes: Tensor, output: Tensor, spatial_scale: float, points: int
) -> None:
    """Features (N, C, H, W) and the samples of each place's box (N, H, W, 5) added, into `output`.

    The boxes may come as (N * H * W, 5) too, as mmrotate passes them.
    A box is y, x, width, height, angle, as mmcv's kernel reads it; `points` is 1 for its centre or
    5 for its corners too.
    """
    output.copy_(_align(upcast(features), upcast(best_rbboxes), spatial_scale, points))


def rotated_feature_align_backward(
    grad_output: Tensor,
    best_rbboxes: Tensor,
    grad_input: Tensor,
    spatial_scale: float,
    points: int,
) -> None:
    """Gradient of the features, into `grad_input`."""
    boxes, grads = upcast(best_rbboxes), (grad_input,)
    # Linear in the features, so that any of this shape give the derivative.
    write_grads(lambda f: _align(f, boxes, spatial_scale, points), grads, grad_output, grads)


def _align(features: Tensor, boxes: Tensor, spatial_scale: float, points: int) -> Tensor:
    n, _, height, width = features.shape
    centre, sides, angle = boxes.reshape(-1, 5).split([2, 2, 1], dim=1)
    cos, sin = angle.cos(), angle.sin()
    half = sides * spatial_scale / 2
    along, down = torch.cat((sin, cos), 1) * half[:, :1], torch.cat((cos, -sin), 1) * half[:, 1:]
    places = boxes.new_tensor([[0, 0], [1, 1], [-1, 1], [-1, -1], [1, -1]])[:points]
    samples = centre[:, None] * spatial_scale + places @ torch.stack((along, down), dim=1)
    around = corners(samples.flatten(0, 1), (height, width))
    image = torch.arange(n, device=boxes.device).repeat_interleave(height * width * points)
    per_bin = torch.full((n * height * width,), points, device=boxes.device)
    means = bin_means(features, image, around.index, around.weight, per_bin)
    return features + points * means.unflatten(0, (n, height, width)).movedim(-1, 1)


def active_rotated_filter_forward(input: Tensor, indices: Tensor, output: Tensor) -> None:
    """R turned copies of each filter (O, I, orientations, H, W), into `output`.

    indices (orientations, H, W, R) count from 1 and say where an entry goes; output is
    (O * R, I * orientations, H, W).
    """
    copies, target = _copies(output, input, indices)
    copies.scatter_(3, target, input.flatten(2)[:, None].expand_as(copies))


def active_rotated_filter_backward(grad_out: Tensor, indices: Tensor, grad_in: Tensor) -> None:
    """Gradient of the filters, into `grad_in`."""
    copies, source = _copies(grad_out.contiguous(), grad_in, indices)
    grad_in.copy_(copies.gather(3, source).sum(1).view_as(grad_in))


def _copies(turned: Tensor, filters: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """A view (O, R, I, entries) of turned filters, and the place of each entry in it."""
    outputs, inputs = filters.shape[:2]
    place = indices.flatten(0, 2).T.long() - 1  # (R, entries)
    copies = turned.view(outputs, len(place), inputs, -1)
    return copies, place[None, :, None].expand_as(copies)

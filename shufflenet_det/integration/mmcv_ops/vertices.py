"""The order of vertices behind mmcv's differentiable IoU of rotated boxes."""

import math

import torch
from torch import Tensor

CORNERS = 8  # of both boxes; crossings of their sides follow
LONGEST = 9  # vertices of a closed octagon
EQUAL = 1e-4  # of the polygon's reach: single precision cannot tell such vertices apart


def diff_iou_rotated_sort_vertices_forward(
    vertices: Tensor, mask: Tensor, num_valid: Tensor
) -> Tensor:
    """Indices (B, N, 9) of the valid vertices (B, N, 24, 2) around the origin, the first one again.

    They turn x towards y from the positive x axis; of equal ones the first is taken, which mmcv's
    kernel does for two equal boxes only. The rest is the index of an invalid crossing, which is
    (0, 0); so is all where an area would need a third vertex.
    """
    reach = (vertices.abs() * mask[..., None]).amax((-1, -2))[..., None, None]
    apart = (vertices[..., :, None, :] - vertices[..., None, :, :]).abs().amax(-1)
    earlier = mask.new_ones(mask.shape[-1:] * 2).tril(-1)
    valid = mask & ~((apart < EQUAL * reach) & earlier & mask[..., None, :]).any(-1)
    valid = valid & (valid.cumsum(-1) < LONGEST)
    turn = torch.atan2(vertices[..., 1], vertices[..., 0]).remainder(2 * math.pi)
    order = turn.masked_fill(~valid, torch.inf).argsort(dim=-1)[..., :LONGEST]
    count = valid.sum(-1, keepdim=True)
    place = torch.arange(LONGEST, device=mask.device)
    order = order.where(place != count, order[..., :1])
    padding = CORNERS + mask[..., CORNERS:].int().argmin(-1, keepdim=True)
    return order.where((place <= count) & (count >= 3), padding).int()

"""Areas that pairs of convex quadrilaterals share, all pairs side by side, in double precision.

Corners (B, 4, 2) follow the outline. As in mmcv's kernels the shared area is the convex hull of the
crossings of both outlines and of the corners of one that lie in the rectangle on two sides of the
other: exact for rectangles, larger or smaller for other quadrilaterals.
"""

import torch
from torch import Tensor

# Corners and crossings count as inside within this share of a side, so that none is lost between
# two boxes that are equal but for rounding.
SLACK = 1e-9


def shared_area(first: Tensor, second: Tensor) -> Tensor:
    """Shared areas (B,) of quadrilaterals (B, 4, 2) with others."""
    crossings, meet = _crossings(first, second)
    points = torch.cat((crossings, first, second), dim=1)  # (B, 24, 2)
    valid = torch.cat((meet, _lies_in(first, second), _lies_in(second, first)), dim=1)
    mirrored = points * points.new_tensor([1, -1])
    return -_under_hull(points, valid) - _under_hull(mirrored, valid)


def area(corners: Tensor) -> Tensor:
    """Areas (B,) of quadrilaterals (B, 4, 2)."""
    sides = corners[:, 1:] - corners[:, :1]
    return _cross(sides[:, :-1], sides[:, 1:]).abs().sum(1) / 2


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _sides(corners: Tensor) -> Tensor:
    return corners.roll(-1, dims=1) - corners


def _crossings(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Crossings (B, 16, 2) of the 4 x 4 pairs of sides, and which pairs cross (B, 16)."""
    sides, others = _sides(first)[:, :, None], _sides(second)[:, None]
    between = second[:, None] - first[:, :, None]
    determinant = _cross(sides, others)
    share, other_share = (_cross(between, s) / determinant for s in (others, sides))
    meet = determinant.abs() > SLACK * sides.norm(dim=-1) * others.norm(dim=-1)
    for part in (share, other_share):
        meet = meet & (part >= -SLACK) & (part <= 1 + SLACK)
    points = first[:, :, None] + share.where(meet, 0)[..., None] * sides
    return points.flatten(1, 2), meet.flatten(1)


def _lies_in(points: Tensor, corners: Tensor) -> Tensor:
    """Whether points (B, 4, 2) lie in the rectangle on the first and last side of corners."""
    axes = torch.stack((corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]), dim=1)
    share = (points - corners[:, :1]) @ axes.mT / axes.square().sum(-1)[:, None]  # (B, 4, 2)
    return ((share >= -SLACK) & (share <= 1 + SLACK)).all(2)


def _under_hull(points: Tensor, valid: Tensor) -> Tensor:
    """Integrals (B,) along x of the lower half of the convex hulls of the valid points (B, P, 2).

    Andrew's monotone chain, one step for all hulls at a time.
    """
    by_y = points[..., 1].argsort(dim=1)
    x = points[..., 0].masked_fill(~valid, torch.inf).gather(1, by_y)
    order = by_y.gather(1, x.argsort(dim=1, stable=True))  # by x, then y; invalid ones last
    points = points.gather(1, order[..., None].expand_as(points))
    hull, row = torch.zeros_like(points), torch.arange(len(points), device=points.device)
    size, count = torch.zeros_like(row), valid.sum(1)
    for i in range(int(count.max())):
        point, more = points[:, i], i < count
        while True:
            last, before = hull[row, size - 1], hull[row, size - 2]
            drop = more & (size >= 2) & (_cross(last - before, point - before) <= 0)
            if not drop.any():
                break
            size = size - drop.long()
        hull[row[more], size[more]] = point[more]
        size = size + more.long()
    widths, heights = hull[:, 1:, 0] - hull[:, :-1, 0], hull[:, 1:, 1] + hull[:, :-1, 1]
    used = torch.arange(1, points.size(1), device=points.device) < size[:, None]
    return (widths * heights * used).sum(1) / 2

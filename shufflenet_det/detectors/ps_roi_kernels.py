"""Position-sensitive bilinear sampling on the CPU as one sparse matrix product.

torchvision's CPU kernel runs on one thread and reads each corner once per channel. Here the map is
laid out position-major, (output_size, N, H, W, C_out) for a row of bins, so that a corner is one
contiguous row of C_out values, and each bin is a weighted sum of a few such rows. Sampling points
and weights are torchvision's, operation by operation, so the results differ by the order of
summation only.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csc_matrix
from torch import Tensor
from torch.autograd.function import once_differentiable


class _WeightedRowSum(torch.autograd.Function):
    """Row k of the result is the sum over t of weight[k, t] * table[index[k, t]].

    Shapes: table (rows, C), index (int32) and weight (K, T), result (K, C). The gradient reaches
    the table only; it is the transposed sparse product, for which torch would have to sort.
    """

    @staticmethod
    def forward(ctx, table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(index, weight)
        ctx.rows = table.shape[0]
        return F.embedding_bag(index, table, mode='sum', per_sample_weights=weight)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        index, weight = (saved.numpy() for saved in ctx.saved_tensors)
        ends = np.arange(0, index.size + 1, index.shape[1], dtype=index.dtype)
        transposed = csc_matrix((weight.ravel(), index.ravel(), ends), (ctx.rows, len(index)))
        return torch.from_numpy(transposed @ grad.numpy()), None, None


def _axis_taps(
    start: Tensor, end: Tensor, size: int, bins: int, samples: int
) -> tuple[Tensor, Tensor]:
    """Pixels and bilinear weights along one axis, each (samples, 2, bins, K).

    start, end (K,): the RoIs in pixels of the map, whose axis has `size` pixels. A sample up to one
    pixel outside the map is moved to its border, one further out has weight 0.
    """
    step = (end - start) / bins
    centre = torch.arange(samples, dtype=start.dtype).view(-1, 1, 1) + 0.5
    bin_start = torch.arange(bins, dtype=start.dtype).view(-1, 1) * step + start
    position = bin_start + centre * step / samples
    inside = (position >= -1) & (position <= size)
    position = position.clamp(0, size - 1)
    low = position.floor()
    upper_weight = position - low
    weight = torch.stack((1 - upper_weight, upper_weight), 1) * inside.unsqueeze(1)
    low = low.int()
    return torch.stack((low, (low + 1).clamp(max=size - 1)), 1), weight


def _spread(taps: Tensor) -> Tensor:
    """(bins, K * T) from (samples or 1, samples or 1, 2 or 1, 2 or 1, bins, K).

    T numbers (sample y, sample x, tap y, tap x); the taps of an axis are 1 along the other.
    """
    samples, bins = max(taps.shape[:2]), taps.shape[4]
    # long rows are filled fast, then turned
    rows = taps.expand(samples, samples, 2, 2, *taps.shape[4:]).flatten(4).flatten(0, 3)
    return rows.t().reshape(bins, -1)


def _bins_of(
    rois: Tensor, shape: tuple[int, int, int], bins: int, samples: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Index in the table of a row of bins, and weight, of every tap: along x, and along y.

    Each is (bins, K * T). rois (K, 5) in pixels of the map, shape (N, H, W) of the map.
    """
    batch, height, width = shape
    x1, y1, x2, y2 = rois[:, 1:].unbind(1)
    x, x_weight = _axis_taps(x1, x2, width, bins, samples)
    y, y_weight = _axis_taps(y1, y2, height, bins, samples)
    x = x + torch.arange(bins, dtype=torch.int32).view(-1, 1) * (batch * height * width)
    y = (y + rois[:, 0].int() * height) * width
    across = tuple(_spread(taps[None, :, None]) for taps in (x, x_weight))
    down = tuple(_spread(taps[:, None, :, None]) for taps in (y, y_weight))
    return across, down


def sample_bins(
    input: Tensor,
    rois: Tensor,
    output_size: int,
    spatial_scale: float,
    shift: float,
    sampling_ratio: int,
    mode: str,
) -> Tensor:
    """Position-sensitive RoI pooling of guarded RoIs, see `ps_roi.ps_roi_align`.

    Shapes: input (N, C * output_size^2, H, W), rois (K, 5), result (K, C, output_size,
    output_size). `shift` (map pixels) is subtracted from the scaled RoIs. One row of bins is
    pooled at a time: what that needs stays in the caches, and out of the reach of page faults.
    """
    batch, _, height, width = input.shape
    bins = output_size
    on_map = torch.cat((rois[:, :1], rois[:, 1:] * spatial_scale - shift), 1)
    shape = (batch, height, width)
    (x, x_weight), (y, y_weight) = _bins_of(on_map, shape, bins, sampling_ratio)
    if mode == 'avg':
        y_weight = y_weight / sampling_ratio**2

    def pool_row(part: Tensor, y: Tensor, y_weight: Tensor) -> Tensor:
        """(K, C, bins) of a row of bins, whose part of the map is (N, C, bins, H, W)."""
        table = part.permute(2, 0, 3, 4, 1).contiguous().flatten(0, 3)
        index = (y + x).view(bins * len(rois), -1)
        weight = (y_weight * x_weight).view(index.shape)
        if mode == 'avg':
            pooled = _WeightedRowSum.apply(table, index, weight)
        else:
            sampled = _WeightedRowSum.apply(table, index.view(-1, 4), weight.view(-1, 4))
            pooled = sampled.unflatten(0, (-1, sampling_ratio**2)).max(1).values
        return pooled.view(bins, len(rois), -1).permute(1, 2, 0)

    # From channels-last format, one copy as a whole is faster than one of each part.
    parts = input.contiguous().unflatten(1, (-1, bins, bins)).unbind(2)
    return torch.stack([pool_row(*row) for row in zip(parts, y, y_weight, strict=True)], 2)

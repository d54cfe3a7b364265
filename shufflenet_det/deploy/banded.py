"""The inference form's stem in bands of rows, and its channels in channels-last format.

The stem's conv has by far the largest output of the net. As a whole it leaves the cache, and its
memory is given back to the system after each image and taken again page by page.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shufflenet_det.detectors.roi_guard import is_traced

BAND_BYTES = 3 * 2**20
"""Conv output of a band of the stem."""


def runs_eagerly_on_cpu(x: Tensor) -> bool:
    """Whether this call is plain inference on a CPU, without gradients."""
    return x.device.type == 'cpu' and not torch.is_grad_enabled() and not is_traced()


class BandedPool(nn.Sequential):
    """A 3x3 conv, a 3x3/2 max pool, both with a padding of 1, and an activation.

    Maps (N, C, H, W) to (N, C', H', W'). The activation never falls and so commutes with the pool:
    it runs behind it, on a quarter of the data, but before it in a recorded graph, where it costs
    nothing as part of the conv. On a CPU all runs in bands of rows of about BAND_BYTES. The values
    are the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        conv, pool, act = self
        if is_traced():
            return pool(act(conv(x)))
        if not runs_eagerly_on_cpu(x):
            return super().forward(x)
        height, stride = x.shape[2], conv.stride[0]
        conv_rows, conv_columns = ((side + stride - 1) // stride for side in x.shape[2:])
        rows, columns = (conv_rows + 1) // 2, (conv_columns + 1) // 2
        row_bytes = x.shape[0] * conv.out_channels * conv_columns * 2 * x.element_size()
        band = max(1, BAND_BYTES // max(1, row_bytes))
        if band >= rows:
            return super().forward(x)
        out = None
        lacks_row = stride * (conv_rows - 1) + 1 == height
        for start in range(0, rows, band):
            end = min(rows, start + band)
            # Row r is pooled from conv rows 2r - 1 to 2r + 1; row q is a conv of sq - 1 to sq + 1.
            part = x[:, :, max(0, stride * (2 * start - 1) - 1) : stride * (2 * end - 1) + 2]
            if end == rows and lacks_row:
                part = F.pad(part, (0, 0, 0, 1))
            padding = (int(start == 0), 1)
            y = F.conv2d(part, conv.weight, conv.bias, conv.stride, padding)
            y = F.max_pool2d(y, pool.kernel_size, pool.stride, padding, ceil_mode=start > 0)
            if out is None:
                shape = (*y.shape[:2], rows, columns)
                out = torch.empty(shape, dtype=y.dtype, memory_format=torch.channels_last)
            out[:, :, start:end] = y[:, :, : end - start, :columns]
        return act(out)


def gather_channels(x: Tensor, index: Tensor) -> Tensor:
    """``x.index_select(1, index)`` for x (N, C, H, W) in channels-last format, which it keeps."""
    if not runs_eagerly_on_cpu(x):
        return x.index_select(1, index)
    rows = x.permute(0, 2, 3, 1)
    return rows.gather(3, index.expand(*rows.shape[:3], -1)).permute(0, 3, 1, 2)

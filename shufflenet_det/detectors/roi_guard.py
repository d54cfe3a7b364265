"""Guards of RoIs (K, 5), batch index, x1, y1, x2, y2 in image pixels, in front of a kernel."""

from functools import lru_cache

import torch
from torch import Tensor

# RoI coordinates are held within this many image pixels of the origin.
ROI_LIMIT = 1e6


def sanitize_rois(rois: Tensor) -> Tensor:
    """RoIs (K, 5) that no kernel can crash on: NaN becomes 0, the rest is held in +-ROI_LIMIT.

    The frame does not depend on the map, so every RoI with coordinates in +-1e6 image pixels,
    partly or wholly outside the image, empty or reversed, is returned bit for bit.
    """
    return rois.nan_to_num(0).clamp(-ROI_LIMIT, ROI_LIMIT)


def is_traced() -> bool:
    """Whether this call is recorded as a graph, for export or by a compiler."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def check_batch_index(index: Tensor, num_images: int) -> None:
    """Raises where values can be read: not while a graph is recorded."""
    if is_traced():
        return
    bad = ~((index >= 0) & (index < num_images))
    if bad.any():
        raise ValueError(
            f'rois[:, 0] is the index of the image in the batch: expected 0 to {num_images - 1}, '
            f'got {index[bad].unique().tolist()}'
        )


@lru_cache
def _frame(num_images: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The least and the largest RoI (5,): of the images of a batch, within +-ROI_LIMIT."""
    least = torch.tensor([0, *[-ROI_LIMIT] * 4], dtype=dtype, device=device)
    most = torch.tensor([num_images - 1, *[ROI_LIMIT] * 4], dtype=dtype, device=device)
    return least, most


def guard_on_device(rois: Tensor, num_images: int) -> Tensor:
    """RoIs (K, 5) that a CUDA kernel can take, in three small kernels and without waiting.

    One of no image becomes a RoI of NaN as a whole, which reads image 0 and gives NaN, like a RoI
    that is no number itself: CUDA makes NaN of single precision an index of 0. The rest is held in
    +-ROI_LIMIT.
    """
    held = torch.clamp(rois, *_frame(num_images, rois.dtype, rois.device))
    return held.where(held[:, :1] == rois[:, :1], torch.nan)

"""Gather and scatter of a convolution at chosen places (guided anchoring, arXiv:1901.03278)."""

import torch
from torch import Tensor
from torch.nn import functional as F


def masked_im2col_forward(
    features: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    data_col: Tensor,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Patches around P places of features (1, C, H, W), into `data_col` (C * kernel area, P)."""
    padded = F.pad(features[0], (pad_w, kernel_w, pad_h, kernel_h))
    rows = mask_h_idx[:, None, None] + torch.arange(kernel_h, device=features.device)[:, None]
    columns = mask_w_idx[:, None, None] + torch.arange(kernel_w, device=features.device)
    patches = padded[:, rows, columns]  # (C, P, kernel_h, kernel_w)
    data_col.copy_(patches.flatten(2).transpose(1, 2).flatten(0, 1))


def masked_col2im_forward(
    masked_output: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    output: Tensor,
    height: int,
    width: int,
    channels: int,
) -> None:
    """Values (C, P) of P places, into their places of `output` (1, C, H, W)."""
    output[0, :, mask_h_idx, mask_w_idx] = masked_output

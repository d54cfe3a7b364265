"""Convolution at chosen places through mmcv's layer, against the whole convolution."""

import pytest
import torch
from mmcv import ops


@pytest.mark.parametrize('kernel, padding', [(1, 0), (3, 1), ((3, 1), (1, 0)), (5, 2)])
@pytest.mark.parametrize('share', [0.0, 0.3, 1.0])
def test_masked_conv_is_the_convolution_at_the_chosen_places(
    kernel: int, padding: int, share: float, device: str
) -> None:
    conv = ops.MaskedConv2d(3, 4, kernel, padding=padding).to(device).requires_grad_(False)
    x = torch.randn(1, 3, 7, 6, device=device)
    mask = torch.rand(1, 7, 6, device=device) < share
    torch.testing.assert_close(conv(x, mask), conv(x) * mask)


def test_a_wide_kernel_reads_zeros_outside_the_map(device: str) -> None:
    """Without padding the places are still those of the map; the last windows leave it."""
    conv = ops.MaskedConv2d(1, 1, 3, bias=True).to(device).requires_grad_(False)
    torch.nn.init.ones_(conv.weight), torch.nn.init.zeros_(conv.bias)
    mask = torch.zeros(1, 4, 4, device=device)
    mask[0, 1, 1] = 1
    x = torch.ones(1, 1, 4, 4, device=device)
    assert conv(x, mask).flatten().tolist() == [0, 0, 0, 9]

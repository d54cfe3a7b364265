"""Batch norm of a thin map goes into the convs of both its paths."""

import torch
from torch import nn

from shufflenet_det.deploy.fuse import fold_conv_modules
from shufflenet_det.detectors import LargeSeparableConv2d


def test_norm_of_a_thin_map_is_folded():
    torch.manual_seed(0)
    thin_map = LargeSeparableConv2d(8, 4, 12, 5, norm_cfg=dict(type='BN')).eval()
    norm = thin_map.norm
    for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        nn.init.uniform_(values, 0.5, 2)
    x = torch.randn(2, 8, 9, 7)
    with torch.no_grad():
        expected = thin_map(x)
        assert fold_conv_modules(nn.Sequential(thin_map)) == 1
        torch.testing.assert_close(thin_map(x), expected)
    assert expected.std() > 0 and not isinstance(thin_map.norm, nn.BatchNorm2d)

import math

import pytest
import torch
from mmcv.ops import roi_align, roi_pool

NAN, INF = math.nan, math.inf
BAD = {
    'NaN': [0, NAN, 0, 5, 5],
    'inf': [0, 0, 0, INF, 5],
    '3e38': [0, -3e38, 0, 3e38, 5],
    'zero area': [0, 5, 5, 5, 5],
    'reversed': [0, 9, 9, 2, 2],
    'reversed in x': [0, 9, 2, 2, 9],
    'reversed in y': [0, 2, 9, 9, 2],
    'outside': [0, 900, 900, 990, 990],
}
OPS = {
    'roi_align, 2 samples': lambda maps, rois: roi_align(maps, rois, 7, 1.0, 2),
    'roi_align, adaptive': lambda maps, rois: roi_align(maps, rois, 7, 1.0, 0),
    'roi_align, max': lambda maps, rois: roi_align(maps, rois, 7, 1.0, 2, 'max'),
    'roi_pool': lambda maps, rois: roi_pool(maps, rois, 7, 1.0),
}


@pytest.mark.parametrize('op', OPS)
@pytest.mark.parametrize('fault', BAD)
def test_bad_roi_gives_finite_values_and_gradients(op, fault):
    maps = torch.rand(1, 4, 16, 16, requires_grad=True)
    pooled = OPS[op](maps, torch.tensor([BAD[fault]]))
    pooled.sum().backward()
    assert pooled.isfinite().all()
    assert maps.grad.isfinite().all()


@pytest.mark.parametrize('roi', [[0, 25, 2, 5, 28], [0, 2, 25, 28, 5], [0, 25, 25, 5, 5]])
def test_reversed_roi_has_no_samples_where_its_size_counts_them(roi):
    maps = torch.rand(1, 2, 32, 32, requires_grad=True)
    pooled = roi_align(maps, torch.tensor([roi], dtype=torch.float), 7)
    pooled.sum().backward()
    assert not pooled.any() and not maps.grad.any()


@pytest.mark.parametrize('op', OPS)
@pytest.mark.parametrize('index', [-1, 2, NAN, INF])
def test_batch_index_outside_the_batch_is_an_error(op, index):
    with pytest.raises(ValueError, match='expected 0 to 1'):
        OPS[op](torch.rand(2, 4, 16, 16), torch.tensor([[index, 0, 0, 5, 5]]))

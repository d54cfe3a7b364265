"""What all of `mmcv._ext` has in common."""

from collections.abc import Callable

import mmcv._ext
import pytest
import torch
from mmcv import ops


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    'call',
    [
        lambda x, rois: ops.roi_align(x, rois, 2),
        lambda x, rois: ops.roi_align(x, rois, 2, 1.0, 0, 'max'),
        lambda x, rois: ops.roi_pool(x, rois, 2),
        lambda x, rois: ops.sigmoid_focal_loss(x.flatten(1), torch.tensor([0], device=x.device)),
        lambda x, rois: ops.softmax_focal_loss(x.flatten(1), torch.tensor([0], device=x.device)),
        lambda x, rois: ops.deform_conv2d(x, x.new_zeros(1, 2, 6, 6), x.new_ones(1, 2, 1, 1)),
        lambda x, rois: ops.modulated_deform_conv2d(
            x, x.new_zeros(1, 2, 6, 6), x.new_ones(1, 1, 6, 6), x.new_ones(1, 2, 1, 1)
        ),
    ],
    ids=[
        'roi_align',
        'roi_align_max',
        'roi_pool',
        'sigmoid_focal',
        'softmax_focal',
        'deform_conv',
        'modulated_deform_conv',
    ],
)
def test_half_precision(call: Callable, dtype: torch.dtype, device: str) -> None:
    maps = torch.randn(1, 2, 6, 6, device=device).to(dtype)
    rois = torch.tensor([[0, 1, 1, 5, 5]], device=device)
    results = []
    for x in (maps, maps.double()):
        x.requires_grad_()
        output = call(x, rois.to(x))
        output.float().sum().backward()
        assert output.dtype == x.grad.dtype == x.dtype
        results.append((output.double(), x.grad.double()))
    torch.testing.assert_close(*results, rtol=2e-2, atol=2e-2)


@pytest.mark.skipif(not mmcv._ext.__file__.endswith('.py'), reason='mmcv is compiled')
@pytest.mark.parametrize(
    'name, remedy',
    [
        ('nms_rotated', 'upright'),
        ('tin_shift_forward', 'mmcv'),
    ],
)
def test_unsupported_op_raises_when_called(name: str, remedy: str) -> None:
    op = getattr(mmcv._ext, name)
    with pytest.raises(NotImplementedError, match=f'{name}.*{remedy}'):
        op(torch.rand(2, 5))


def test_environment_report_works() -> None:
    from mmcv.utils import collect_env

    assert collect_env()['MMCV Compiler']

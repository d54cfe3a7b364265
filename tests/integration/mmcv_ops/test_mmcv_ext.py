"""What all of `mmcv._ext` has in common."""

import ast
from collections.abc import Callable
from pathlib import Path

import mmcv._ext
import pytest
import torch
from mmcv import ops
from paths import ROOT

from shufflenet_det.integration.mmcv_ops.table import ALTERNATIVES, OPS


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


ours = pytest.mark.skipif(not mmcv._ext.__file__.endswith('.py'), reason='mmcv is compiled')


@ours
@pytest.mark.parametrize(
    'name, remedy', [('prroi_pool_forward', 'use RoIAlign; or'), ('tin_shift_forward', 'mmcv-lite')]
)
def test_unsupported_op_raises_when_called(name: str, remedy: str) -> None:
    op = getattr(mmcv._ext, name)
    with pytest.raises(NotImplementedError, match=f'{name}.*{remedy}'):
        op(torch.rand(2, 5))


@ours
def test_table_names_every_function_that_is_served() -> None:
    named = [name for op in OPS for name in op.functions]
    served = {n for n in mmcv._ext.__all__ if not n.startswith(('__', 'get_'))}
    assert len(named) == len(set(named)) and set(named) == served


def asked_for() -> dict[str, set[str]]:
    """Module of `mmcv.ops` -> the functions of `mmcv._ext` that it loads."""
    names = {}
    for path in Path(ops.__file__).parent.glob('*.py'):
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        for call in calls:
            if getattr(call.func, 'attr', '') == 'load_ext':
                names.setdefault(path.stem, set()).update(ast.literal_eval(call.args[1]))
    return names


def test_an_op_is_served_whole_or_not_at_all() -> None:
    """All functions of a module of `mmcv.ops`, under the names that it asks for."""
    named, asked = {name for op in OPS for name in op.functions}, asked_for()
    assert named <= set().union(*asked.values())
    assert all(names <= named or not names & named for names in asked.values())


def test_alternatives_stand_for_functions_that_are_not_served() -> None:
    named, asked = {n for op in OPS for n in op.functions}, set().union(*asked_for().values())
    for prefix in ALTERNATIVES:
        assert any(name.startswith(prefix) for name in asked - named)


def test_page_shows_the_table() -> None:
    rows = [f'| {op.name} | {op.backed_by} | {op.remark} |' for op in OPS]
    page = (ROOT / 'shufflenet_det/integration/mmcv_ops/README.md').read_text()
    assert '\n'.join(['|---|---|---|', *rows, '']) in page


def test_environment_report_works() -> None:
    from mmcv.utils import collect_env

    assert collect_env()['MMCV Compiler']

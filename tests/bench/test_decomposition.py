from types import SimpleNamespace

import pytest
import torch
from torch import nn

from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.bench.paper import decomposition
from shufflenet_det.bench.paper.decomposition import (
    CONV,
    DATA,
    DEPTHWISE,
    ELEMENTWISE,
    OTHER,
    OUTSIDE,
    _self_times,
    decompose,
)
from shufflenet_det.deploy.switch import switch_to_deploy

X = torch.randn(1, 16, 32, 32)
MODULES = {
    CONV: nn.Conv2d(16, 16, 1),
    DEPTHWISE: nn.Conv2d(16, 16, 3, groups=16),
    ELEMENTWISE: nn.BatchNorm2d(16).eval(),
    DATA: nn.ChannelShuffle(2),
    OTHER: nn.MaxPool2d(3),
}


def of_operators(found: decomposition.Decomposition) -> dict[str, float]:
    """ms of the classes without the time between operators."""
    ms = dict(found.class_ms)
    ms[OTHER] -= found.op_ms[OUTSIDE]
    return ms


@pytest.mark.parametrize('kind', MODULES)
def test_operators_of_a_module_stand_in_its_class(kind):
    module = nn.Sequential(*[MODULES[kind]] * (1 if kind == OTHER else 3))
    with torch.inference_mode():
        found = decompose(kind, lambda: module(X), calls=3)
    ms = of_operators(found)
    assert ms[kind] > 0
    others = {CONV, DEPTHWISE, ELEMENTWISE} - {kind}  # a module may move data beside its own work
    assert {ms[other] for other in others} == {0}
    assert found.unknown == ()


def test_shares_add_up_to_the_time_measured():
    module = nn.Sequential(nn.Conv2d(16, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()
    found = decompose('x', lambda: module(X), calls=3)
    assert sum(found.class_ms.values()) == pytest.approx(found.total_ms, rel=1e-3)
    assert sum(found.op_ms.values()) == pytest.approx(found.total_ms, rel=1e-3)
    assert sum(found.percent.values()) == pytest.approx(100, rel=1e-3)


def test_unknown_operators_are_named():
    found = decompose('x', lambda: torch.linalg.svd(torch.eye(4)), calls=1)
    assert any('svd' in op for op in found.unknown)


def test_deploy_form_has_convs_of_both_kinds_and_nothing_unknown():
    net, image = switch_to_deploy(ShuffleNetV2(arch='0.5x').eval()), torch.zeros(1, 3, 256, 256)
    found = decompose('deploy', lambda: net(image), calls=1)
    fused = [op for op in found.op_ms if 'pointwise' in op]
    assert found.unknown == () and len(fused) == 2
    assert found.class_ms['conv'] and found.class_ms['depthwise conv']


def test_every_operator_stands_in_one_class():
    groups = (decomposition._CONVOLUTIONS, decomposition._ELEMENTWISE, decomposition._DATA,
              decomposition._OTHER)  # fmt: skip
    ops = [op for group in groups for op in group.split()]
    assert len(ops) == len(set(ops))


@pytest.mark.parametrize(('kernel_us', 'expected'), [(30.0, (30.0, 40.0)), (90.0, (50.0, 0.0))])
def test_kernels_that_overlap_share_the_time(kernel_us, expected):
    """Two kernels of 30 us leave 40 of 100 idle; two of 90 us ran at once, and have 50 each."""

    def event(name, us):
        span = SimpleNamespace(start=1, end=2)
        return SimpleNamespace(name=name, time_range=span, self_device_time_total=us,
                               input_shapes=[], cpu_time_total=100.0)  # fmt: skip

    whole = event(OUTSIDE, 0.0)
    events = [event('aten::add', kernel_us), event('cudaLaunchKernel', 5.0),
              event('aten::cat', kernel_us), whole]  # fmt: skip
    *kernels, (name, kind, idle) = _self_times(events, whole, on_gpu=True)
    assert [us for _, _, us in kernels] == [expected[0]] * 2
    assert (name, kind, idle) == (OUTSIDE, OTHER, expected[1])

"""A conv and its activation in one call give what the two give, whatever becomes of the weight."""

import copy

import pytest
import torch
from torch import nn

from shufflenet_det.deploy import fused_conv
from shufflenet_det.deploy.fused_conv import FEWEST_PIXELS, POST_OPS, conv_act_for

CONVS = {
    '1x1': dict(kernel_size=1),
    '3x3': dict(kernel_size=3, padding=1),
    'depthwise': dict(kernel_size=3, padding=1, groups=8),
    'stride 2': dict(kernel_size=3, padding=1, stride=2, groups=8),
    'dilated': dict(kernel_size=3, padding=2, dilation=2, groups=8),
    'no bias': dict(kernel_size=1, bias=False),
}
ACTS = [*(kind() for kind in POST_OPS), nn.LeakyReLU(0.3)]
LARGE = (1, 8, 40, 50)


@pytest.fixture(autouse=True)
def plain_inference():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def fused(x: torch.Tensor, act: nn.Module) -> bool:
    return conv_act_for(x, act) is fused_conv._fused


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('act', ACTS, ids=str)
@pytest.mark.parametrize('name', CONVS)
def test_both_in_one_are_equal_to_both(name, act, layout):
    conv, x = nn.Conv2d(8, 8, **CONVS[name]).to(memory_format=layout), torch.randn(2, 8, 40, 51)
    x = x.to(memory_format=layout)
    assert fused(x, act)
    torch.testing.assert_close(conv_act_for(x, act)(conv, act, x), act(conv(x)))


CHANGES = {
    'in place': lambda conv: conv.weight.mul_(2),
    'loaded': lambda conv: conv.load_state_dict(nn.Conv2d(8, 8, 1).state_dict()),
    'replaced': lambda conv: setattr(conv, 'weight', nn.Parameter(torch.ones(8, 8, 1, 1))),
    'by its data': lambda conv: setattr(conv.weight, 'data', torch.ones(8, 8, 1, 1)),
    'moved': lambda conv: conv.double().float().to(memory_format=torch.channels_last),
}


@pytest.mark.parametrize('change', CHANGES)
@pytest.mark.parametrize('copied', [False, True])
def test_a_changed_weight_is_used(change, copied):
    conv, act, x = nn.Conv2d(8, 8, 1), nn.ReLU(), torch.randn(LARGE)
    conv_act = conv_act_for(x, act)
    conv_act(conv, act, x)
    if copied:
        conv = copy.deepcopy(conv)
    CHANGES[change](conv)
    torch.testing.assert_close(conv_act(conv, act, x), act(conv(x)))


OTHERS = {
    'double': (lambda: torch.randn(LARGE).double(), nn.ReLU()),
    'another activation': (lambda: torch.randn(LARGE), nn.Hardswish()),
    'another device': (lambda: torch.randn(LARGE, device='meta'), nn.ReLU()),
    'few pixels, one thread': (lambda: torch.randn(1, 8, 40, 49), nn.ReLU()),
}


@pytest.mark.parametrize('name', OTHERS)
def test_others_are_computed_one_after_the_other(name, one_thread):
    make, act = OTHERS[name]
    assert not fused(make(), act)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_few_pixels_are_fused_with_more_threads(monkeypatch):
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    assert fused(torch.randn(1, 8, 4, 4), nn.ReLU()) and 16 < FEWEST_PIXELS


def test_hooks_of_both_are_called():
    conv, act, x, called = nn.Conv2d(8, 8, 1), nn.ReLU(), torch.randn(LARGE), []
    conv_act = conv_act_for(x, act)
    for module in (conv, act):
        module.register_forward_hook(lambda module, *_: called.append(module))
    conv_act(conv, act, x)
    assert called == [conv, act]


def test_a_weight_of_inference_mode_may_change():
    with torch.inference_mode():
        conv, act, x = nn.Conv2d(8, 8, 1), nn.ReLU(), torch.randn(LARGE)
        conv_act = conv_act_for(x, act)
        for _ in range(2):
            torch.testing.assert_close(conv_act(conv, act, x), act(conv(x)))
            conv.weight.mul_(2)


def test_with_gradients_it_is_plain():
    with torch.enable_grad():
        assert not fused(torch.randn(LARGE), nn.ReLU())


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(8, 8, 1), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return conv_act_for(x, self.act)(self.conv, self.act, x)


def exported(net: nn.Module) -> str:
    sizes = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC}
    images = torch.randn(2, *LARGE[1:])
    return str(torch.export.export(net, (images,), dynamic_shapes=(sizes,)).graph)


RECORDERS = {
    'traced': lambda net: str(torch.jit.trace(net, torch.randn(LARGE)).inlined_graph),
    'exported': exported,
}


@pytest.mark.parametrize('record', RECORDERS.values(), ids=RECORDERS)
def test_a_recorded_graph_has_plain_convs_of_any_size(record):
    graph = record(Net().eval())
    assert 'conv' in graph and 'relu' in graph and 'mkldnn' not in graph


def test_packed_weights_go_with_their_conv():
    conv, act, x = nn.Conv2d(8, 8, 1), nn.ReLU(), torch.randn(LARGE)
    conv_act_for(x, act)(conv, act, x)
    assert conv in fused_conv._PACKED
    before = len(fused_conv._PACKED)
    del conv
    assert len(fused_conv._PACKED) == before - 1

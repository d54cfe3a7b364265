"""Faster steps on a CPU compute what plain ones do."""

import copy
import pickle
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from shufflenet_det.bench.gpu.training_speed import TrainingStep
from shufflenet_det.training.fast_cpu import (
    FastCPUHook,
    channels_last,
    has_bf16,
    keep_memory,
    multiply_in_bf16,
)

WORDS = {
    True: 'dense convs multiply in bfloat16 in training',
    False: 'this CPU has no bfloat16; all stays in float32',
}


def copy_by_pickle(net: nn.Module) -> nn.Module:
    return pickle.loads(pickle.dumps(net))


CONFIG = 'configs/photos/lighthead_fpn_1.0x_320.py'


def losses_of(change, steps=2):
    torch.manual_seed(0)
    step = TrainingStep(CONFIG, (96, 128), 2, 'cpu')
    change(step.model)
    torch.manual_seed(1)
    return [step().item() for _ in range(steps)]


def test_losses_are_equal_up_to_rounding():
    plain, fast = losses_of(lambda model: None), losses_of(channels_last)
    assert fast[0] == pytest.approx(plain[0], rel=1e-5)
    assert fast[1] == pytest.approx(plain[1], rel=1e-2)  # behind a step, on other proposals


def test_convs_are_stored_otherwise_and_keep_their_values():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    FastCPUHook().before_train(SimpleNamespace(model=model))
    assert all(conv.weight.is_contiguous(memory_format=torch.channels_last) for conv in model[::2])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model(torch.randn(2, 3, 16, 16)).is_contiguous(memory_format=torch.channels_last)


def test_a_model_elsewhere_is_left_alone():
    model = nn.Conv2d(3, 8, 3, device='meta')
    FastCPUHook().before_train(SimpleNamespace(model=model))
    assert model.weight.is_contiguous()


def test_systems_without_glibc_keep_their_allocator(monkeypatch):
    monkeypatch.setattr('ctypes.CDLL', lambda name: SimpleNamespace())
    assert not keep_memory()


def small_net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(8, 16, 1), nn.Conv2d(16, 16, 3, groups=16), nn.BatchNorm2d(16))


def test_losses_in_bfloat16_are_equal_to_three_digits():
    plain, half = losses_of(lambda model: None, 1), losses_of(multiply_in_bf16, 1)
    assert plain[0] != half[0] == pytest.approx(plain[0], rel=1e-2)


@pytest.mark.parametrize('change', [lambda net: net, copy.deepcopy, copy_by_pickle])
def test_only_dense_convs_multiply_in_bfloat16(change):
    torch.manual_seed(0)
    net = small_net()
    multiply_in_bf16(net)
    images = torch.randn(2, 8, 6, 6)
    half = images.bfloat16().float()
    changed = change(net)
    nn.init.ones_(changed[0].weight)  # exact in bfloat16, and a copy's own
    nn.init.zeros_(changed[0].bias)
    expected = half.sum(1, keepdim=True).expand(-1, 16, -1, -1).bfloat16().float()
    assert torch.equal(changed[0](images), expected)
    depthwise = nn.functional.conv2d(
        images.repeat(1, 2, 1, 1), net[1].weight, net[1].bias, groups=16
    )
    assert torch.equal(changed[1](images.repeat(1, 2, 1, 1)), depthwise)


def test_weights_and_gradients_stay_in_float32_and_evaluation_is_exact():
    torch.manual_seed(0)
    net, images = small_net(), torch.randn(2, 8, 6, 6)
    with torch.no_grad():
        expected = net.eval()(images)
        multiply_in_bf16(net)
        assert torch.equal(net(images), expected)
    net.train()(images).sum().backward()
    assert {p.dtype for p in net.parameters()} == {p.grad.dtype for p in net.parameters()}
    assert net[0].weight.grad.dtype == torch.float32


@pytest.mark.parametrize('able', [True, False])
def test_hook_says_what_it_multiplies_in(monkeypatch, able):
    monkeypatch.setattr('shufflenet_det.training.fast_cpu.has_bf16', lambda: able)
    said = []
    monkeypatch.setattr(
        'shufflenet_det.training.fast_cpu.print_log', lambda text, _: said.append(text)
    )
    net = small_net()
    FastCPUHook(bf16=True).before_train(SimpleNamespace(model=net))
    assert said == [f'FastCPUHook: {WORDS[able]}']
    assert ('_conv_forward' in vars(net[0])) == able


def test_cpus_without_bfloat16_are_known(monkeypatch):
    for name in ('_is_avx512_bf16_supported', '_is_amx_tile_supported'):
        monkeypatch.setattr(torch.cpu, name, bool, raising=False)
    assert not has_bf16()

"""Faster steps on a CPU compute what plain ones do."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from shufflenet_det.bench.gpu.training_speed import TrainingStep
from shufflenet_det.training.fast_cpu import FastCPUHook, channels_last, keep_memory

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

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch.nn.utils import clip_grad_norm_

from shufflenet_det.training.guards import FiniteGuard


class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.first, self.second = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))

    def forward(self):
        raise NotImplementedError


@pytest.fixture(params=[None, dict(max_norm=1.0)], ids=['plain', 'clipped'])
def runner(request, tmp_path):
    model = Net()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), clip_grad=request.param)
    return SimpleNamespace(model=model, optim_wrapper=wrapper, iter=3, epoch=0, work_dir=tmp_path)


def step(runner, *factors):
    """One step on the sum of losses, one for each factor, of both parameters."""
    total, _ = runner.model.parse_losses(
        {f'loss_{i}': f * (runner.model.first + runner.model.second).sum()
         for i, f in enumerate(factors)}
    )  # fmt: skip
    runner.optim_wrapper.update_params(total)


def test_finite_steps_are_those_without_a_guard(runner):
    guard = FiniteGuard(runner)
    for _ in range(2):
        step(runner, 1.0, 2.0)
    guarded = runner.model.first.clone()
    guard.remove()
    runner.model.first.data.fill_(1)
    runner.model.second.data.fill_(1)
    for _ in range(2):
        step(runner, 1.0, 2.0)
    assert torch.equal(runner.model.first, guarded) and guarded[0] != 1


@pytest.mark.parametrize('bad', [torch.nan, torch.inf, -torch.inf])
def test_loss_that_is_not_finite_is_named(runner, bad, tmp_path):
    FiniteGuard(runner)
    with pytest.raises(
        FloatingPointError, match=r'loss is not finite at iteration 3: loss, loss_1 '
    ):
        step(runner, 1.0, bad)
    assert torch.equal(runner.model.first, torch.ones(2))


def test_infinities_that_cancel_are_not_finite(runner):
    FiniteGuard(runner)
    with pytest.raises(FloatingPointError, match='loss_0, loss_1'):
        step(runner, torch.inf, -torch.inf)


@pytest.mark.parametrize('bad', [torch.nan, torch.inf])
def test_gradient_that_is_not_finite_is_named_alone(runner, bad):
    FiniteGuard(runner)
    step(runner, 1.0)
    before = runner.model.first.clone()
    runner.model.second.register_hook(lambda gradient: gradient * bad)
    with pytest.raises(FloatingPointError, match=r'gradient is not finite .*: second \(1 in all\)'):
        step(runner, 1.0)
    assert torch.equal(runner.model.first, before)


def test_everything_is_as_before_afterwards(runner):
    clip = runner.optim_wrapper.clip_grad_kwargs
    FiniteGuard(runner).remove()
    assert 'parse_losses' not in vars(runner.model)
    assert not runner.optim_wrapper.optimizer._optimizer_step_pre_hooks
    assert not clip or runner.optim_wrapper.clip_func is clip_grad_norm_


def test_a_model_without_parse_losses_is_told_and_its_gradients_are_guarded(runner):
    said = []
    runner.logger = SimpleNamespace(warning=said.append)
    runner.model = torch.nn.Linear(1, 1)
    runner.optim_wrapper = OptimWrapper(torch.optim.SGD(runner.model.parameters(), lr=0.1))
    guard = FiniteGuard(runner)
    assert said == ['Linear has no parse_losses: gradients are guarded, losses not']
    with pytest.raises(FloatingPointError, match='gradient is not finite'):
        runner.optim_wrapper.update_params(runner.model.weight.sum() * torch.inf)
    guard.remove()

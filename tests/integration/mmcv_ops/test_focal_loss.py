"""Focal losses through mmcv's wrappers, against slow references; a compiled mmcv passes too."""

import pytest
import torch
from mmcv import ops
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F


def reference_focal(probability: Tensor, gamma: float, alpha: Tensor | float) -> Tensor:
    return -alpha * (1 - probability) ** gamma * probability.log()


@pytest.mark.parametrize('gamma', [0.5, 2.0])
@pytest.mark.parametrize('weighted', [False, True])
def test_sigmoid_focal_loss_and_gradient(device: str, gamma: float, weighted: bool) -> None:
    logits = torch.randn(6, 3, dtype=torch.double, device=device, requires_grad=True)
    target = torch.tensor([0, 1, 2, 0, 1, 3], device=device)  # 3 is background
    weight = torch.tensor([1.0, 2, 3], dtype=torch.double, device=device) if weighted else None
    positive = F.one_hot(target, 4)[:, :3].double()
    p = logits.sigmoid()
    expected = reference_focal(
        p * positive + (1 - p) * (1 - positive), gamma, 0.25 * positive + 0.75 * (1 - positive)
    )
    if weighted:
        expected = expected * torch.cat([weight, weight.new_ones(1)])[target][:, None]

    def loss(x: Tensor) -> Tensor:
        return ops.sigmoid_focal_loss(x, target, gamma, 0.25, weight, 'none')

    torch.testing.assert_close(loss(logits), expected)
    assert gradcheck(loss, logits)


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_softmax_focal_loss_and_gradient(device: str, reduction: str) -> None:
    logits = torch.randn(6, 3, dtype=torch.double, device=device, requires_grad=True)
    target = torch.tensor([0, 1, 2, 0, 1, 2], device=device)
    weight = torch.tensor([1.0, 2, 3], dtype=torch.double, device=device)
    p = logits.softmax(1).gather(1, target[:, None])[:, 0]
    expected = reference_focal(p, 2, 0.25) * weight[target]

    def loss(x: Tensor) -> Tensor:
        return ops.softmax_focal_loss(x, target, 2.0, 0.25, weight, reduction)

    torch.testing.assert_close(loss(logits), getattr(expected, reduction)())
    assert gradcheck(loss, logits)


def test_softmax_focal_loss_ignores_negative_targets() -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    ops.softmax_focal_loss(logits, torch.tensor([-1, -1]), 2.0, 0.25, None, 'sum').backward()
    assert not logits.grad.any()


@pytest.mark.parametrize('logit', [-1e4, -100.0, 100.0, 1e4])
@pytest.mark.parametrize('gamma', [0.5, 2.0])
def test_sigmoid_focal_loss_is_finite_at_extreme_logits(logit: float, gamma: float) -> None:
    logits = torch.full((2, 1), logit, requires_grad=True)
    loss = ops.sigmoid_focal_loss(logits, torch.tensor([0, 1]), gamma)
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()

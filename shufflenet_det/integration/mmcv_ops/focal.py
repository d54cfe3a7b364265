"""Focal losses (arXiv:1708.02002, section 3) and their derivatives, written into the last tensor.

Targets (N,) hold the class; any other number is background. `weight` is empty or holds one factor
per class, which multiplies the row of that target; background rows are not weighted.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .upcast import upcast


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Loss (N, C) of logits (N, C)."""
    logit, alpha = _toward_truth(input, target, alpha)
    loss = -alpha * (-logit).sigmoid() ** gamma * logsigmoid(logit)
    output.copy_(loss * _row_weight(weight, target, input)[:, None])


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Its gradient, into `grad_input`."""
    logit, alpha = _toward_truth(input, target, alpha)
    p, q = logit.sigmoid(), (-logit).sigmoid()
    slope = alpha * q**gamma * (gamma * p * logsigmoid(logit) - q)
    sign = 2 * _one_hot(target, input) - 1
    grad_input.copy_(sign * slope * _row_weight(weight, target, input)[:, None])


def softmax_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Loss (N,) of probabilities (N, C); rows with a negative target count 0."""
    p = _picked(input, target)
    loss = -alpha * (1 - p) ** gamma * _log(p) * _row_weight(weight, target, input)
    output.copy_(loss.where(target >= 0, 0))


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Derivative with respect to the logits whose softmax is `input`."""
    p = _picked(input, target)
    slope = gamma * (1 - p) ** (gamma - 1) * p * _log(p) - (1 - p) ** gamma
    slope = (alpha * slope * _row_weight(weight, target, input)).where(target >= 0, 0)
    buff.copy_(slope)
    grad_input.copy_(slope[:, None] * (_one_hot(target, input) - upcast(input)))


def _toward_truth(input: Tensor, target: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Per logit: the logit of its true binary label, and the alpha of that label."""
    positive = _one_hot(target, input)
    return upcast(input) * (2 * positive - 1), alpha * positive + (1 - alpha) * (1 - positive)


def _one_hot(target: Tensor, input: Tensor) -> Tensor:
    classes = torch.arange(input.size(1), device=input.device)
    return (target[:, None] == classes).to(upcast(input).dtype)


def _picked(input: Tensor, target: Tensor) -> Tensor:
    return upcast(input).gather(1, target.clamp(min=0)[:, None])[:, 0]


def _row_weight(weight: Tensor, target: Tensor, input: Tensor) -> Tensor:
    if not weight.numel():
        return upcast(input).new_ones(len(target))
    is_class = (target >= 0) & (target < weight.numel())
    return upcast(weight)[target.where(is_class, 0)].where(is_class, 1)


def _log(p: Tensor) -> Tensor:
    return p.clamp(min=torch.finfo(p.dtype).tiny).log()

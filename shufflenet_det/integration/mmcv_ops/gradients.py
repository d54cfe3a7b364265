"""Derivatives by running the forward pass again under autograd."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .upcast import upcast


def write_grads(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    grad_output: Tensor,
    grads: Sequence[Tensor],
) -> None:
    """Derivatives of `function(*inputs)`, written into `grads`; unused inputs keep theirs."""
    with torch.enable_grad():
        leaves = [upcast(t).detach().requires_grad_() for t in inputs]
        results = torch.autograd.grad(
            function(*leaves), leaves, upcast(grad_output), allow_unused=True
        )
    for grad, result in zip(grads, results, strict=True):
        if result is not None:
            grad.copy_(result)

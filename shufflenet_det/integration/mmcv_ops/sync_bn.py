"""Steps of a synchronised batch norm; mmcv's `SyncBatchNorm` reduces over processes between them.

Input and output are (N, C, positions), all statistics (C,) in single precision.
"""

from torch import Tensor


def sync_bn_forward_mean(input: Tensor, mean: Tensor) -> None:
    """Mean of each channel, into `mean`."""
    mean.copy_(input.float().mean((0, 2)))


def sync_bn_forward_var(input: Tensor, mean: Tensor, var: Tensor) -> None:
    """Mean squared distance from `mean`, into `var`."""
    var.copy_((input.float() - mean[:, None]).square().mean((0, 2)))


def sync_bn_forward_output(
    input: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    norm: Tensor,
    std: Tensor,
    output: Tensor,
    eps: float,
    momentum: Tensor | float,
    group_size: int,
) -> None:
    """Normalised input into `norm`, scaled into `output`; running statistics are updated.

    Their variance is unbiased for as many images in each of the processes as in this one.
    """
    std.copy_((var + eps).sqrt())
    norm.copy_((input.float() - mean[:, None]) / std[:, None])
    output.copy_(norm * weight[:, None] + bias[:, None])
    count = input.size(0) * input.size(2) * group_size
    unbiased = var * count / (count - 1) if count > 1 else var
    for running, batch in ((running_mean, mean), (running_var, unbiased)):
        running.copy_(running + momentum * (batch - running))


def sync_bn_backward_param(
    grad_output: Tensor, norm: Tensor, grad_weight: Tensor, grad_bias: Tensor
) -> None:
    """Gradients of weight and bias over this process, into the buffers given."""
    grad = grad_output.float()
    grad_weight.copy_((grad * norm).sum((0, 2)))
    grad_bias.copy_(grad.sum((0, 2)))


def sync_bn_backward_data(
    grad_output: Tensor,
    weight: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    norm: Tensor,
    std: Tensor,
    grad_input: Tensor,
) -> None:
    """Gradient of the input, into `grad_input`; those of weight and bias are of all processes."""
    count = grad_output.size(0) * grad_output.size(2)
    through_statistics = (norm * grad_weight[:, None] + grad_bias[:, None]) / count
    scale = (weight / std)[:, None]
    grad_input.copy_(scale * (grad_output.float() - through_statistics))

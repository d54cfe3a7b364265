"""Content-aware reassembly of features (CARAFE, arXiv:1905.02188): upsampling by made kernels.

features (N, C, H, W), masks (N, groups * K * K, sH, sW) and output (N, C, sH, sW) for a scale s.
Buffers that start with r hold other layouts for mmcv's kernels; only `rfeatures` is used, to carry
the features to the backward function.
"""

from itertools import product

from torch import Tensor
from torch.nn import functional as F

from .gradients import write_grads
from .upcast import upcast


def carafe_naive_forward(
    features: Tensor,
    masks: Tensor,
    output: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Upsampled features, into `output`."""
    args = (kernel_size, group_size, scale_factor)
    output.copy_(_reassemble(upcast(features), upcast(masks), *args))


def carafe_naive_backward(
    grad_output: Tensor,
    features: Tensor,
    masks: Tensor,
    grad_features: Tensor,
    grad_masks: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Gradients of features and masks, into the buffers given."""
    write_grads(
        lambda f, m: _reassemble(f, m, kernel_size, group_size, scale_factor),
        (features, masks),
        grad_output,
        (grad_features, grad_masks),
    )


def carafe_forward(
    features: Tensor,
    masks: Tensor,
    rfeatures: Tensor,
    routput: Tensor,
    rmasks: Tensor,
    output: Tensor,
    **geometry: int,
) -> None:
    """Upsampled features, into `output`."""
    rfeatures.copy_(features)
    carafe_naive_forward(features, masks, output, **geometry)


def carafe_backward(
    grad_output: Tensor,
    rfeatures: Tensor,
    masks: Tensor,
    rgrad_output: Tensor,
    rgrad_input_hs: Tensor,
    rgrad_input: Tensor,
    rgrad_masks: Tensor,
    grad_features: Tensor,
    grad_masks: Tensor,
    **geometry: int,
) -> None:
    """Gradients of features and masks, into the buffers given."""
    carafe_naive_backward(grad_output, rfeatures, masks, grad_features, grad_masks, **geometry)


def _reassemble(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int) -> Tensor:
    """One multiply and add of the whole output for each of the kernel's K * K places."""
    n, channels, height, width = features.shape
    masks = F.pixel_unshuffle(masks, scale)
    masks = masks.view(n, groups, kernel**2, 1, scale**2, height, width)
    padded = F.pad(features, [kernel // 2] * 4).unflatten(1, (groups, -1))
    output = features.new_zeros(n, groups, channels // groups, scale**2, height, width)
    for place, (y, x) in enumerate(product(range(kernel), repeat=2)):
        window = padded[..., None, y : y + height, x : x + width]  # (N, groups, -1, 1, H, W)
        output = output + window * masks[:, :, place]
    return F.pixel_shuffle(output.view(n, channels * scale**2, height, width), scale)

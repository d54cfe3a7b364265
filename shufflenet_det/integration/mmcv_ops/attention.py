"""Multi-scale deformable attention (arXiv:2010.04159), computed by mmcv's own function in torch."""

from collections.abc import Callable

from torch import Tensor

from .gradients import write_grads
from .upcast import upcast


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Output (N, queries, heads * channels) of values (N, keys, heads, channels).

    `im2col_step` only concerns mmcv's own kernels.
    """
    attend = _attention(spatial_shapes)
    output = attend(*map(upcast, (value, sampling_locations, attention_weights)))
    return output.to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Its gradients, into the buffers given."""
    write_grads(
        _attention(spatial_shapes),
        (value, sampling_locations, attention_weights),
        grad_output,
        (grad_value, grad_sampling_loc, grad_attn_weight),
    )


def _attention(spatial_shapes: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    # mmcv.ops imports this package, hence not at the top.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    shapes = spatial_shapes.tolist()
    return lambda value, locations, weights: multi_scale_deformable_attn_pytorch(
        value, shapes, locations, weights
    )

"""The functions of `mmcv._ext` that torchvision can back, under mmcv 2.x's names and arguments.

`integration.startup` serves this package as `mmcv._ext` where mmcv was not compiled; it is then
called by the wrappers in `mmcv.ops`, which own argument checks and autograd. Half precision is
computed in float32 (as torchvision does under autocast) and written back in its own type.
"""

from .attention import ms_deform_attn_backward, ms_deform_attn_forward
from .boxes import bbox_overlaps, nms, nms_match, softnms
from .deform import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from .focal import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from .rois import roi_align_backward, roi_align_forward, roi_pool_backward, roi_pool_forward
from .unsupported import __getattr__, get_compiler_version, get_compiling_cuda_version

__all__ = [
    'bbox_overlaps',
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'get_compiler_version',
    'get_compiling_cuda_version',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'nms_match',
    'roi_align_backward',
    'roi_align_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softnms',
    '__getattr__',
]

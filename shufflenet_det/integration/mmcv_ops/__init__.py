"""The functions of `mmcv._ext` that torchvision can back, under mmcv 2.x's names and arguments.

`integration.startup` serves this package as `mmcv._ext` where mmcv was not compiled; it is then
called by the wrappers in `mmcv.ops`, which own argument checks and autograd. Half precision is
computed in float32 (as torchvision does under autocast) and written back in its own type.
"""

from .attention import ms_deform_attn_backward, ms_deform_attn_forward
from .boxes import bbox_overlaps, nms, nms_match, softnms
from .carafe import (
    carafe_backward,
    carafe_forward,
    carafe_naive_backward,
    carafe_naive_forward,
)
from .deform import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from .deform_rois import deform_roi_pool_backward, deform_roi_pool_forward
from .focal import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from .masked import masked_col2im_forward, masked_im2col_forward
from .rois import roi_align_backward, roi_align_forward, roi_pool_backward, roi_pool_forward
from .rotated import (
    box_iou_quadri,
    box_iou_rotated,
    nms_quadri,
    nms_rotated,
    points_in_polygons_forward,
)
from .rotated_features import (
    active_rotated_filter_backward,
    active_rotated_filter_forward,
    rotated_feature_align_backward,
    rotated_feature_align_forward,
)
from .rotated_rois import roi_align_rotated_backward, roi_align_rotated_forward
from .sync_bn import (
    sync_bn_backward_data,
    sync_bn_backward_param,
    sync_bn_forward_mean,
    sync_bn_forward_output,
    sync_bn_forward_var,
)
from .unsupported import __getattr__, get_compiler_version, get_compiling_cuda_version
from .vertices import diff_iou_rotated_sort_vertices_forward

__all__ = [
    'active_rotated_filter_backward',
    'active_rotated_filter_forward',
    'bbox_overlaps',
    'box_iou_quadri',
    'box_iou_rotated',
    'carafe_backward',
    'carafe_forward',
    'carafe_naive_backward',
    'carafe_naive_forward',
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'deform_roi_pool_backward',
    'deform_roi_pool_forward',
    'diff_iou_rotated_sort_vertices_forward',
    'get_compiler_version',
    'get_compiling_cuda_version',
    'masked_col2im_forward',
    'masked_im2col_forward',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'nms_match',
    'nms_quadri',
    'nms_rotated',
    'points_in_polygons_forward',
    'roi_align_backward',
    'roi_align_forward',
    'roi_align_rotated_backward',
    'roi_align_rotated_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'rotated_feature_align_backward',
    'rotated_feature_align_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softnms',
    'sync_bn_backward_data',
    'sync_bn_backward_param',
    'sync_bn_forward_mean',
    'sync_bn_forward_output',
    'sync_bn_forward_var',
    '__getattr__',
]

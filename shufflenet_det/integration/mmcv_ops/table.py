"""Every op of mmcv that works here, and what backs it; README.md shows it."""

from typing import NamedTuple


class Op(NamedTuple):
    """An op under its name in `mmcv.ops`, with the functions of `mmcv._ext` below it."""

    name: str
    functions: tuple[str, ...]
    backed_by: str
    remark: str = ''


def _both(name: str) -> tuple[str, str]:
    return f'{name}_forward', f'{name}_backward'


# fmt: off
OPS = (
    Op('nms, batched_nms', ('nms',), 'torchvision'),
    Op('soft_nms', ('softnms',), 'numpy', 'on the CPU, as in mmcv'),
    Op('nms_match', ('nms_match',), 'numpy', 'on the CPU, as in mmcv'),
    Op('bbox_overlaps', ('bbox_overlaps',), 'torch'),
    Op('roi_align', _both('roi_align'), 'torchvision',
       'a RoI outside all bounds is held within 16 map sizes'),
    Op('roi_pool', _both('roi_pool'), 'torch', "torchvision's rounds the corners first"),
    Op('deform_roi_pool', _both('deform_roi_pool'), 'torch'),
    Op('deform_conv2d',
       ('deform_conv_forward', 'deform_conv_backward_input', 'deform_conv_backward_parameters'),
       'torchvision'),
    Op('modulated_deform_conv2d', _both('modulated_deform_conv'), 'torchvision'),
    Op('MultiScaleDeformableAttention', _both('ms_deform_attn'), 'torch',
       "mmcv's own function"),
    Op('sigmoid_focal_loss', _both('sigmoid_focal_loss'), 'torch'),
    Op('softmax_focal_loss', _both('softmax_focal_loss'), 'torch'),
    Op('MaskedConv2d', ('masked_im2col_forward', 'masked_col2im_forward'), 'torch',
       'no gradient, as in mmcv'),
    Op('carafe', _both('carafe'), 'torch'),
    Op('carafe_naive', _both('carafe_naive'), 'torch',
       "mmcv's wrapper has gradients on CUDA only"),
    Op('SyncBatchNorm (MMSyncBN)',
       ('sync_bn_forward_mean', 'sync_bn_forward_var', 'sync_bn_forward_output',
        'sync_bn_backward_param', 'sync_bn_backward_data'),
       'torch', 'needs a process group, as in mmcv'),
    Op('box_iou_rotated', ('box_iou_rotated',), 'torch'),
    Op('nms_rotated', ('nms_rotated',), 'torch'),
    Op('box_iou_quadri', ('box_iou_quadri',), 'torch',
       "exact for rectangles; 0 where upright boxes around them do not meet"),
    Op('nms_quadri', ('nms_quadri',), 'torch', 'as box_iou_quadri'),
    Op('roi_align_rotated', _both('roi_align_rotated'), 'torch',
       'held as roi_align; a negative side gives 0'),
    Op('rotated_feature_align', _both('rotated_feature_align'), 'torch'),
    Op('active_rotated_filter', _both('active_rotated_filter'), 'torch'),
    Op('points_in_polygons', ('points_in_polygons_forward',), 'torch'),
    Op('diff_iou_rotated_2d, diff_iou_rotated_3d', ('diff_iou_rotated_sort_vertices_forward',),
       'torch'),
)

# Start of the name of a function that is not among them -> what to use in its place.
ALTERNATIVES = {
    'prroi_pool': 'RoIAlign',
    'riroi_align_rotated': 'RoIAlignRotated',
}
# fmt: on

# ShuffleNet V2 1.0x and Ghost-PAN as NanoDet-Plus-m trained them on COCO: BGR, LeakyReLU, BN folded
# into the convs, whose statistics UnfoldBNHook measures. NANODET_PLUS is the file of the weights;
# unless it is set, the published one is fetched.
_base_ = []

from shufflenet_det.archs import out_channels
from shufflenet_det.checkpoints.published import published

levels = (1, 2, 3)
given = '{{$NANODET_PLUS:published}}'
weights = published('nanodet-plus-m-416').url if given == 'published' else given
data_preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[103.53, 116.28, 123.675],
    std=[57.375, 57.12, 58.395],
    bgr_to_rgb=False,
    pad_size_divisor=32,
)
backbone = dict(
    type='ShuffleNetV2',
    arch='1.0x',
    out_indices=levels,
    act_cfg=dict(type='LeakyReLU', negative_slope=0.1, inplace=True),
    norm_cfg=dict(type='BN', requires_grad=True),
    output_stride=32,
    frozen_stages=2,
    norm_eval=False,
    init_cfg=dict(type='Pretrained', checkpoint=weights),
)
neck = dict(
    type='GhostPAN',
    in_channels=out_channels('1.0x', levels),
    out_channels=96,
    num_outs=4,
    init_cfg=dict(type='Pretrained', checkpoint=weights, prefix='neck.'),
)
custom_hooks = [dict(type='UnfoldBNHook')]

# ShuffleNet V2 1.0x as NanoDet-Plus-m trained it on COCO: BGR, LeakyReLU, BN folded into the convs,
# so that BN has no statistics to speak of and stays in eval mode.
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
    out_indices=(1, 2, 3),
    act_cfg=dict(type='LeakyReLU', negative_slope=0.1, inplace=True),
    output_stride=32,
    norm_cfg=dict(type='BN', requires_grad=True),
    frozen_stages=2,
    norm_eval=True,
    init_cfg=dict(type='Pretrained', checkpoint='{{$SNV2_1_0X:data/nanodet_plus_m_416.pth}}'),
)

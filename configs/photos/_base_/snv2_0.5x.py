# ShuffleNet V2 0.5x as FastestDet trained it: BGR divided by 255.
data_preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[0.0, 0.0, 0.0],
    std=[255.0, 255.0, 255.0],
    bgr_to_rgb=False,
    pad_size_divisor=32,
)
backbone = dict(
    type='ShuffleNetV2',
    arch='0.5x',
    out_indices=(1, 2, 3),
    act_cfg=dict(type='ReLU', inplace=True),
    output_stride=32,
    norm_cfg=dict(type='BN', requires_grad=True),
    frozen_stages=2,
    norm_eval=False,
    init_cfg=dict(type='Pretrained', checkpoint='{{$SNV2_0_5X:data/fastestdet_shufflenetv2.pth}}'),
)

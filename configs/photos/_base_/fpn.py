# A pyramid at strides 8 to 64 over ShuffleNet V2 1.0x, small enough for a CPU.
_base_ = []

from shufflenet_det.archs import out_channels

model = dict(
    neck=dict(
        type='FPN', in_channels=out_channels('1.0x', (1, 2, 3)), out_channels=96, num_outs=4,
        norm_cfg=dict(type='BN'),
    ),
)  # fmt: skip

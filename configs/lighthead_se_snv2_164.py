# SE-ShuffleNet V2-164 with residual (arXiv 1807.11164, appendix table 2) and setting L.
_base_ = './lighthead_snv2_50.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='SEShuffleNetV2',
        depth=164,
        out_indices=(2, 3),
        output_stride=16,
        with_cp=True,
    )
)

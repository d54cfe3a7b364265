# v2*: one more 3x3 depthwise conv per building block. It starts as the identity, so that the
# plain net's weights hold from the first step.
_base_ = './lighthead_snv2.py'

model = dict(backbone=dict(large_receptive_field=True))

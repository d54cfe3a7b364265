# Your own photographs, in the folder DIR:
# python tools/train.py configs/custom/my_photos.py --cfg-options data_root=DIR
# README.md says what is looked for there, and what is decided for each None below.
_base_ = '../photos/lighthead_fpn_1.0x_320.py'

data_root = 'data/my_photos'
own_photos = dict(
    layout=None, seed=0, batch_size=None, epochs=None, lr=None, size=None, start=None,
)  # fmt: skip

"""Detectors are tried out without anything to download."""

import pytest

from shufflenet_det.detectors.trial import without_weights

ADDRESS = 'https://example.org/a.pth'


@pytest.mark.parametrize(
    'part, left',
    [
        (dict(init_cfg=dict(type='Pretrained', checkpoint=ADDRESS)), dict(init_cfg=None)),
        (dict(init_cfg=dict(type='Xavier')), dict(init_cfg=dict(type='Xavier'))),
        (dict(pretrained=ADDRESS), dict(pretrained=None)),
        (dict(pretrained=True), dict(pretrained=False)),
        (dict(teacher_ckpt=ADDRESS), dict(teacher_ckpt=None)),
        (dict(type='AppearanceFreeLink', checkpoint=ADDRESS),
         dict(type='AppearanceFreeLink', checkpoint=None)),
    ],
)  # fmt: skip
def test_no_part_is_loaded(part, left):
    assert without_weights(dict(necks=[part])) == dict(necks=[left])

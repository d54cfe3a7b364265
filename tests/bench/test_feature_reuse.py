import numpy as np
import pytest

from shufflenet_det.archs import ARCHS
from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.bench.paper.feature_reuse import (
    draw_reuse,
    expected_reuse,
    followed_reuse,
)
from shufflenet_det.checkpoints.channel_order import trace

POWER_OF_2 = dict(stem=[(8, 2)], stages=[(64, 5), (128, 6), (128, 2)], last_conv=64)


@pytest.mark.parametrize('stage', [0, 1])
@pytest.mark.parametrize(
    'variant', [{}, dict(se=True), dict(residual=True), dict(large_receptive_field=True)], ids=str
)
def test_formula_is_exact_where_halves_can_be_halved(stage, variant):
    channels, units = POWER_OF_2['stages'][stage]
    net = ShuffleNetV2(POWER_OF_2, **variant)
    followed = followed_reuse(getattr(net, f'stage{stage + 2}'))
    np.testing.assert_array_equal(followed, expected_reuse(channels, units))


@pytest.mark.parametrize('arch', [name for name, row in ARCHS.items() if row.paper_params])
def test_formula_holds_within_one_channel(arch):
    net = ShuffleNetV2(arch)
    for index, (channels, units) in enumerate(net.arch.stages):
        followed = followed_reuse(getattr(net, f'stage{index + 2}'))
        assert np.abs(followed - expected_reuse(channels, units)).max() < 1


def test_followed_channels_are_those_of_the_channel_graph():
    channels, units = 116, 4
    outputs = trace(channels, units, 'end').outputs
    followed = followed_reuse(ShuffleNetV2('1.0x').stage2)
    made_by = np.array([unit for unit, *_ in outputs])
    assert [int((made_by <= source).sum()) for source in range(units)] == list(followed[:, -1])


def test_following_leaves_the_backbone_as_it_is():
    net = ShuffleNetV2('0.5x')
    keys = list(net.state_dict())
    followed_reuse(net.stage2)
    assert list(net.state_dict()) == keys
    assert net.stage2[0].branch1 is not None


def test_picture(tmp_path):
    path = tmp_path / 'reuse.png'
    draw_reuse({'formula': expected_reuse(32, 4), 'followed': expected_reuse(32, 4)}, path)
    assert path.read_bytes().startswith(b'\x89PNG')

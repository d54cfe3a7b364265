import pytest
import torch
from torchvision import models

from shufflenet_det.bench.proofs.megvii_net import UNITS, MegviiNet, randomised
from shufflenet_det.checkpoints import (
    convert,
    detect_layout,
    megvii_output_permutation,
    read_checkpoint,
    to_torchvision,
)
from shufflenet_det.checkpoints.channel_order import stage_order
from shufflenet_det.checkpoints.naming import LAYOUTS, REFUSED, TARGETS

WIDTHS = {
    '0.5x': ('x0_5', (48, 96, 192)),
    '1.0x': ('x1_0', (116, 232, 464)),
    '1.5x': ('x1_5', (176, 352, 704)),
    '2.0x': ('x2_0', (244, 488, 976)),
}
WRAPPERS = {
    'bare': lambda state: state,
    'state_dict': lambda state: {'state_dict': state, 'epoch': 3},
    'model': lambda state: {'model': state},
    'ema beats model': lambda state: {'model': _zeros(state), 'ema': state},
    'timm': lambda state: {'state_dict': _zeros(state), 'state_dict_ema': state},
    'mmengine ema': lambda state: {
        'state_dict': _prefixed(state, 'backbone.'),
        'ema_state_dict': _prefixed(_zeros(state), 'module.backbone.'),
    },
    'module': lambda state: _prefixed(state, 'module.'),
    'module in backbone': lambda state: {'state_dict': _prefixed(state, 'backbone.module.')},
    'backbone in module': lambda state: {'state_dict': _prefixed(state, 'module.backbone.')},
    'unheard of': lambda state: {'net': {'inner': _prefixed(state, 'detector.body.')}},
}


def _prefixed(state, prefix):
    return {prefix + key: value for key, value in state.items()}


def _zeros(state):
    return {key: torch.zeros_like(value) for key, value in state.items()}


def _torchvision(width):
    name, channels = WIDTHS[width]
    return randomised(models.get_model(f'shufflenet_v2_{name}', weights=None)), channels


@torch.no_grad()
def _stage_outputs(net, x):
    x, outs = net.maxpool(net.conv1(x)), []
    for stage in (net.stage2, net.stage3, net.stage4):
        x = stage(x)
        outs.append(x)
    return outs


@torch.no_grad()
def _difference(reference, ours, channels):
    """Largest absolute difference of the outputs of the three stages."""
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    pairs = zip(reference(x)[:3], _stage_outputs(ours, x), channels, UNITS, strict=True)
    return max(
        (theirs[:, megvii_output_permutation(c, n)] - out).abs().max().item()
        for theirs, out, c, n in pairs
    )


@pytest.fixture(params=WIDTHS)
def net(request):
    return _torchvision(request.param)


@pytest.mark.parametrize('wrap', WRAPPERS)
@pytest.mark.parametrize('layout', TARGETS)
def test_wrappers_and_prefixes_are_stripped_in_any_order(layout, wrap):
    state = _torchvision('0.5x')[0].state_dict()
    found, name = to_torchvision(WRAPPERS[wrap](convert(state, layout)))
    assert name == layout
    assert found.keys() - {'fc.weight', 'fc.bias'} == state.keys() - {'fc.weight', 'fc.bias'}
    assert all(torch.equal(found[key], state[key]) for key in found)


@pytest.mark.parametrize('layout', TARGETS)
def test_round_trip_is_bit_exact(net, layout):
    state = net[0].state_dict()
    back, _ = to_torchvision(convert(state, layout))
    assert list(back) == list(state)
    assert all(torch.equal(back[key], state[key]) for key in state)


@pytest.mark.parametrize('flat', [True, False], ids=['megvii', 'fastestdet'])
def test_megvii_weights_give_the_same_stage_outputs(net, flat):
    ours, channels = net
    reference = randomised(MegviiNet(channels, flat))
    state, layout = to_torchvision(reference.state_dict())
    assert layout == ('megvii' if flat else 'fastestdet')
    assert set(ours.state_dict()) - set(state) == {
        key for key in ours.state_dict() if key.startswith(('conv5', 'fc'))
    }
    ours.load_state_dict(state, strict=False)
    assert _difference(reference, ours, channels) < 1e-5


def test_weights_written_for_megvii_give_the_same_stage_outputs(net):
    ours, channels = net
    conv5 = ours.conv5[0].out_channels
    reference = MegviiNet(channels, conv_last=conv5).eval()
    state = convert({k: v for k, v in ours.state_dict().items() if k[:3] != 'fc.'}, 'megvii')
    result = reference.load_state_dict(state, strict=False)
    assert (result.missing_keys, result.unexpected_keys) == (['classifier.0.weight'], [])
    assert _difference(reference, ours, channels) < 1e-5


def test_conv5_reads_the_permuted_channels(net):
    ours, channels = net
    reference = randomised(MegviiNet(channels, conv_last=ours.conv5[0].out_channels))
    state, _ = to_torchvision(reference.state_dict())
    ours.load_state_dict({k: v for k, v in state.items() if k[:3] != 'fc.'}, strict=False)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(
            ours.conv5(_stage_outputs(ours, x)[-1]), reference(x)[-1], atol=1e-5, rtol=1e-5
        )


def test_loading_megvii_weights_by_position_is_wrong():
    """The conversion is not vacuous: the same tensors under new names alone give other features."""
    ours, channels = _torchvision('0.5x')
    reference = randomised(MegviiNet(channels))
    values = iter(reference.state_dict().values())
    converted = to_torchvision(reference.state_dict())[0]
    ours.load_state_dict({key: next(values) for key in converted}, strict=False)
    assert _difference(reference, ours, channels) > 1e-2


@pytest.mark.parametrize('units', [1, 2, 3, 8, 10, 23])
@pytest.mark.parametrize('channels', [8, 116, 340])
def test_orders_there_and_back_are_inverse(channels, units):
    there = stage_order(channels, units, 'start', 'end')
    back = stage_order(channels, units, 'end', 'start')
    index = torch.arange(channels)
    assert torch.equal(there.outputs[back.outputs], index)
    for branch, order in there.births.items():
        assert torch.equal(order[back.births[branch]], torch.arange(channels // 2))
    for one, other in zip(there.inputs[1:], back.inputs[1:], strict=True):
        assert torch.equal(one[other], torch.arange(channels // 2))


def test_stage_that_cannot_be_split_is_an_error():
    with pytest.raises(ValueError, match='50 channels.*multiple of 4'):
        megvii_output_permutation(50, 4)


@pytest.mark.parametrize(
    ('layout', 'extra'),
    [
        ('own', 'stage2.0.se.fc1.weight'),
        ('own', 'backbone.stage3.1.pre.0.weight'),
        ('own', 'stage1.0.branch2.0.weight'),
        ('nanodet', 'head.gfl_cls.0.weight'),
        ('torchvision', 'neck.conv.weight'),
    ],
)
def test_layouts_with_torchvision_names_are_told_apart(layout, extra):
    state = _torchvision('0.5x')[0].state_dict()
    assert detect_layout({**state, extra: torch.ones(1)}) == layout


@pytest.mark.parametrize(
    ('name', 'key'),
    [
        ('ShuffleNetV2.Large', 'module.features.0.2a.branch_main.0.conv.weight'),
        ('ExLarge', 'features.0.0.branch_main.0.conv.weight'),
        (r'ShuffleNetV2\+', 'features.8.branch_main.8.SE_opr.1.weight'),
        ('ShuffleNetV1', 'module.features.0.branch_main_1.0.weight'),
    ],
)
def test_other_networks_of_megvii_are_refused_with_the_reason(name, key):
    state = {'first_conv.0.weight': torch.ones(1), key: torch.ones(1)}
    with pytest.raises(ValueError, match=name) as error:
        to_torchvision({'state_dict': state})
    assert any(reason in str(error.value) for _, _, reason in REFUSED)


def test_megvii_plus_with_plain_units_in_front_is_refused():
    state = MegviiNet(WIDTHS['0.5x'][1]).state_dict()
    with pytest.raises(ValueError, match=r'ShuffleNetV2\+'):
        to_torchvision({**state, 'features.8.branch_main.8.SE_opr.1.weight': torch.ones(1)})


def test_unknown_keys_are_listed_with_what_is_recognised():
    with pytest.raises(ValueError) as error:
        to_torchvision({'layer1.0.conv1.weight': torch.ones(1)})
    assert 'layer1.0.conv1.weight' in str(error.value)
    assert all(layout.name in str(error.value) for layout in LAYOUTS)


def test_several_backbones_need_a_prefix():
    state = _torchvision('0.5x')[0].state_dict()
    both = _prefixed(state, 'teacher.') | _prefixed(_zeros(state), 'student.')
    with pytest.raises(ValueError, match=r"'teacher\.', 'student\.'.*prefix="):
        to_torchvision(both)
    found, _ = to_torchvision(both, prefix='teacher')
    assert torch.equal(found['conv1.0.weight'], state['conv1.0.weight'])


def test_prefix_that_is_not_there_is_named():
    state = _torchvision('0.5x')[0].state_dict()
    with pytest.raises(ValueError, match="prefix='backbone.'"):
        to_torchvision(state, prefix='backbone.')


@pytest.mark.parametrize('to', ['megvii', 'mmpretrain'])
def test_layers_without_a_name_in_the_target_are_an_error(to):
    state = _torchvision('0.5x')[0].state_dict() | {'stage2.0.pre.0.weight': torch.ones(1)}
    with pytest.raises(ValueError, match=r'no name for 1 tensors.*stage2\.0\.pre'):
        convert(state, to)


def test_target_that_is_no_layout_is_an_error():
    with pytest.raises(ValueError, match="to='onnx'.*torchvision"):
        convert({}, 'onnx')


def test_trained_fastestdet_backbone_gives_the_same_stage_outputs(test_data):
    checkpoint = read_checkpoint(test_data / 'shufflenetv2_x0.5_fastestdet' / 'shufflenetv2.pth')
    ours, channels = _torchvision('0.5x')
    reference = MegviiNet(channels, flat=False).eval()
    reference.load_state_dict(checkpoint)
    state, layout = to_torchvision(checkpoint)
    ours.load_state_dict(state, strict=False)
    assert (layout, len(state)) == ('fastestdet', 330)
    assert _difference(reference, ours, channels) < 1e-5

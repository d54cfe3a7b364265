from itertools import combinations

import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from shufflenet_det.archs import ARCHS, LEVEL_STRIDES, ShuffleNetV2Arch
from shufflenet_det.backbones import SEShuffleNetV2, ShuffleNetV2
from shufflenet_det.backbones.shufflenet_v2 import interleave

SMALL = dict(stem=[(8, 2)], stages=[(16, 2), (32, 3), (64, 2)], last_conv=96)
SMALL_LARGE = dict(stem=[(8, 2), (8, 1)], stages=[(12, 2), (16, 2), (32, 2), (64, 2)], last_conv=96)
SUBSETS = [subset for n in range(1, 6) for subset in combinations(range(5), n)]
VARIANTS = [
    dict(),
    dict(se=True),
    dict(residual=True),
    dict(large_receptive_field=True),
    dict(keep_branch1_width=True),
    dict(se=True, residual=True, large_receptive_field=True),
]


@pytest.mark.parametrize('arch', ARCHS)
@pytest.mark.parametrize('output_stride', [32, 16])
@pytest.mark.parametrize('size', [(32, 32), (33, 61)])
def test_shapes_follow_the_published_channels_and_strides(arch, output_stride, size):
    with torch.device('meta'):
        net = ShuffleNetV2(arch, out_indices=range(5), output_stride=output_stride).eval()
        outs = net(torch.zeros(2, 3, *size))
    assert net.out_channels == ARCHS[arch].level_channels
    assert net.out_strides == tuple(min(s, output_stride) for s in LEVEL_STRIDES)
    for out, channels, stride in zip(outs, net.out_channels, net.out_strides, strict=True):
        assert out.shape == (2, channels, *(-(-length // stride) for length in size))


@pytest.mark.parametrize('row', [SMALL, SMALL_LARGE], ids=['3 stages', '4 stages'])
@pytest.mark.parametrize('variant', VARIANTS, ids=str)
@pytest.mark.parametrize('out_indices', SUBSETS, ids=str)
def test_every_parameter_gets_a_gradient(row, variant, out_indices):
    net = ShuffleNetV2(row, out_indices=out_indices, **variant).train()
    sum(out.square().mean() for out in net(torch.randn(2, 3, 32, 32))).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_se_164_is_the_row_of_the_appendix():
    with torch.device('meta'):
        net = SEShuffleNetV2(depth=164)
    assert net.arch == ARCHS['164']
    assert net.arch.se and net.arch.residual
    block_channels = net.arch.stages[1][0]
    assert net.stage2[1].se.fc1.out_channels == block_channels // 2


@pytest.mark.parametrize('variant', VARIANTS[1:], ids=str)
def test_variants_add_their_own_parameters_only(variant):
    plain, varied = ShuffleNetV2(SMALL), ShuffleNetV2(SMALL, **variant)
    extra = set(varied.state_dict()) - set(plain.state_dict())
    assert set(plain.state_dict()) <= set(varied.state_dict())
    parts = {key.split('.')[2] for key in extra}
    expected = {'se': 'se', 'large_receptive_field': 'pre'}
    assert parts == {expected[name] for name in variant if name in expected}


def test_v2_star_starts_as_the_plain_net():
    plain, star = ShuffleNetV2(SMALL).eval(), ShuffleNetV2(SMALL, large_receptive_field=True).eval()
    star.init_weights()
    star.load_state_dict(plain.state_dict(), strict=False)
    x = torch.randn(1, 3, 64, 64)
    for out, expected in zip(star(x), plain(x), strict=True):
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)


def test_residual_unit_adds_its_own_input():
    unit = ShuffleNetV2(SMALL, residual=True).eval().stage2[1]
    last_norm = unit.branch2[6]
    nn.init.zeros_(last_norm.weight)
    nn.init.zeros_(last_norm.bias)
    x = torch.rand(1, 16, 5, 5)
    assert torch.equal(unit.process(x[:, 8:]), x[:, 8:])


def test_dilated_last_stage_keeps_the_receptive_field():
    dilations = lambda net: {m.dilation for m in net.stage4.modules() if isinstance(m, nn.Conv2d)}  # noqa: E731
    assert dilations(ShuffleNetV2(SMALL, output_stride=16)) == {(1, 1), (2, 2)}
    assert dilations(ShuffleNetV2(SMALL, output_stride=16, last_dilation=1)) == {(1, 1)}


@pytest.mark.parametrize('frozen_stages', range(-1, 5))
def test_frozen_stages_stay_as_they_are(frozen_stages):
    net = ShuffleNetV2(SMALL, frozen_stages=frozen_stages).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    outs = net(torch.randn(2, 3, 64, 64))
    loss = sum(out.square().mean() for out in outs)
    if frozen_stages < 4:
        loss.backward()
        torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1).step()
    changed = {k.split('.')[0] for k, v in net.state_dict().items() if not v.equal(before[k])}
    trained = {f'stage{i}' for i in (2, 3, 4) if i > frozen_stages}
    assert changed == (trained | {'conv1'} if frozen_stages < 0 else trained)


def test_norm_eval_keeps_running_statistics():
    net = ShuffleNetV2(SMALL, norm_eval=True)
    assert net.train() is net
    assert not any(m.training for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    assert net.stage2[0].training


def test_activation_checkpointing_recomputes_and_changes_no_gradient():
    x = torch.randn(2, 3, 64, 64)
    plain, saving = ShuffleNetV2(SMALL), ShuffleNetV2(SMALL, with_cp=True)
    saving.load_state_dict(plain.state_dict())
    calls = {plain: 0, saving: 0}
    for net in calls:

        def count(*_, net=net):
            calls[net] += 1

        net.stage3[1].branch2[0].register_forward_hook(count)
        sum(out.sum() for out in net(x)).backward()
    assert list(calls.values()) == [1, 2]
    for p, q in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


def test_layers_follow_the_config():
    net = ShuffleNetV2(
        SMALL,
        norm_cfg=dict(type='GN', num_groups=4),
        act_cfg=dict(type='LeakyReLU', negative_slope=0.1),
    )
    kinds = {type(m) for m in net.modules()}
    assert nn.GroupNorm in kinds and nn.LeakyReLU in kinds
    assert nn.BatchNorm2d not in kinds and nn.ReLU not in kinds


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(arch='3.0x'), 'arch='),
        (dict(out_indices=(1, 5)), 'out_indices=.*strides 4, 8, 16, 32'),
        (dict(out_indices=(2, 1)), 'increasing'),
        (dict(out_indices=()), 'out_indices='),
        (dict(out_indices=3), r'give a tuple, such as \(3,\)'),
        (dict(frozen_stages=6), r'frozen_stages=6 is not allowed; choose one of \[-1, 0, 1'),
        (dict(se_ratio=1.5), 'se_ratio=1.5 is not allowed; give more than 0, up to 1'),
        (dict(output_stride=8), r'choose one of \[16, 32\]'),
        (
            dict(last_dilation=2),
            r'last_dilation=2 \(atrous\) needs output_stride=16',
        ),
    ],
)
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ShuffleNetV2(**kwargs)


def test_wrong_depth_is_named():
    with pytest.raises(ValueError, match=r'depth=50 is not allowed; choose one of \[164\]'):
        SEShuffleNetV2(depth=50)


@pytest.mark.parametrize('arch', [*ARCHS, SMALL, ShuffleNetV2Arch(((8, 2),), ((16, 2),) * 3, 32)])
def test_registry_builds_it(arch):
    with torch.device('meta'):
        net = MODELS.build(dict(type='ShuffleNetV2', arch=arch, out_indices=(1, 2, 3)))
    assert len(net.out_channels) == 3


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_interleaved_maps_and_their_gradients_keep_the_layout(layout):
    whole, gradient = torch.randn(2, 2, 10, 4, 3).unbind()
    whole = whole.contiguous(memory_format=layout).requires_grad_()
    first, second = whole.chunk(2, dim=1)  # a view, as the part that passes a unit
    mixed = interleave(first, second)
    mixed.backward(gradient.contiguous(memory_format=layout))
    assert torch.equal(mixed[:, ::2], first) and torch.equal(mixed[:, 1::2], second)
    assert torch.equal(whole.grad, torch.cat((gradient[:, ::2], gradient[:, 1::2]), 1))
    assert mixed.is_contiguous(memory_format=layout)

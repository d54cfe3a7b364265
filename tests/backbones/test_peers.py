import subprocess
import sys

import pytest
import torch
from mmdet.models.backbones import MobileNetV2
from mmdet.registry import MODELS
from torch import nn

from shufflenet_det.archs import LEVEL_STRIDES
from shufflenet_det.backbones import LevelMobileNetV2, LevelResNet, MobileNetV1, ShuffleNetV1
from shufflenet_det.backbones.peer_archs import (
    SCALES,
    SHUFFLENET_V1_SCALES,
    SHUFFLENET_V1_WIDTHS,
    shufflenet_v1_arch,
)
from shufflenet_det.backbones.peers import (
    NETWORKS,
    TABLE7,
    get_network,
)
from shufflenet_det.bench.complexity import network_complexity

SMALLEST = {
    'snv1': dict(type='ShuffleNetV1', arch='0.5x'),
    'xception': dict(type='Xception', arch='0.5x'),
    'mobilenetv1': dict(type='MobileNetV1', widen_factor=0.25),
    'mobilenetv2': dict(type='LevelMobileNetV2', widen_factor=0.15, divisor=4, keep_last=True),
    'densenet': dict(type='DenseNet', arch='0.5x'),
    'resnet': dict(type='LevelResNet', depth=18, base_channels=8, norm_eval=False),
}
PEERS = [name for name in NETWORKS if 'snv2' not in name]
families = pytest.mark.parametrize('family', SMALLEST)


def build(family: str, **kwargs) -> nn.Module:
    return MODELS.build(dict(SMALLEST[family], **kwargs))


def test_table_needs_no_torch():
    code = 'import sys, shufflenet_det.backbones.peers; sys.exit("torch" in sys.modules)'
    subprocess.run([sys.executable, '-c', code], check=True)


FREE_BY_5_PERCENT = {'densenet_0.5x'}
"""The paper prints neither its growth rate nor its layers; this is half of 1.0x's growth rate."""


@pytest.mark.parametrize(
    'name', [name for name, row in NETWORKS.items() if row.macs and row.other_of is None]
)
def test_macs_are_within_3_percent_of_the_paper(name):
    network = NETWORKS[name]
    counted, classifier = network_complexity(name, (network.size, network.size))
    macs = counted.total.macs + classifier.macs
    assert macs == pytest.approx(network.macs, rel=0.051 if name in FREE_BY_5_PERCENT else 0.03)


@pytest.mark.parametrize('name', PEERS)
@pytest.mark.parametrize('output_stride', [32, 16])
def test_shapes_follow_the_published_channels_and_strides(name, output_stride):
    size = (33, 61)
    levels = range(NETWORKS[name].classifier_level + 1)
    with torch.device('meta'):
        config = NETWORKS[name].config(out_indices=levels, output_stride=output_stride)
        net = MODELS.build(config).eval()
        outs = net(torch.zeros(2, 3, *size))
    assert net.out_strides == tuple(min(LEVEL_STRIDES[i], output_stride) for i in levels)
    for level, out in zip(levels, outs, strict=True):
        stride = net.out_strides[level]
        expected = [-(-length // stride) for length in size]
        assert out.shape == (2, net.out_channels[level], *expected)


@families
@pytest.mark.parametrize('out_indices', [(0,), (1,), (2, 3)], ids=str)
def test_every_parameter_gets_a_gradient(family, out_indices):
    net = build(family, out_indices=out_indices).train()
    sum(out.square().mean() for out in net(torch.randn(2, 3, 64, 64))).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


@families
@pytest.mark.parametrize('frozen_stages', [0, 2])
def test_frozen_stages_stay_as_they_are(family, frozen_stages):
    net = build(family, frozen_stages=frozen_stages)
    assert net.train() is net
    before = {key: value.clone() for key, value in net.state_dict().items()}
    outs = net(torch.randn(2, 3, 64, 64))
    sum(out.square().mean() for out in outs[frozen_stages:]).backward()
    torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1).step()
    with torch.no_grad():
        frozen = build(family)
        frozen.load_state_dict(before)
        same = frozen.eval()(torch.ones(1, 3, 64, 64))
        trained = net.eval()(torch.ones(1, 3, 64, 64))
    unchanged = [torch.equal(a, b) for a, b in zip(trained, same, strict=True)]
    # With nothing but the stem frozen, level 0 is the stem itself in some of the nets.
    first = max(frozen_stages, 1)
    assert unchanged[first:] == [False] * (4 - first)
    assert all(unchanged[:frozen_stages])


@families
def test_norm_eval_keeps_running_statistics(family):
    net = build(family, norm_eval=True).train()
    assert not any(m.training for m in net.modules() if isinstance(m, nn.BatchNorm2d))


@families
def test_output_stride_16_has_the_same_weights(family):
    wide, deep = build(family), build(family, output_stride=16)
    deep.load_state_dict(wide.state_dict())
    dilations = {m.dilation[0] for m in deep.modules() if isinstance(m, nn.Conv2d)}
    assert dilations == {1, 2}


@pytest.mark.parametrize('family', ['snv1', 'xception', 'mobilenetv1', 'densenet'])
def test_activation_checkpointing_changes_no_gradient(family):
    x = torch.randn(2, 3, 64, 64)
    plain, saving = build(family), build(family, with_cp=True)
    saving.load_state_dict(plain.state_dict())
    for net in (plain, saving):
        sum(out.sum() for out in net.train()(x)).backward()
    for p, q in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


@pytest.mark.parametrize('family', ['snv1', 'xception', 'mobilenetv1', 'mobilenetv2'])
def test_norms_follow_the_config(family):
    net = build(family, norm_cfg=dict(type='GN', num_groups=1))
    kinds = {type(m) for m in net.modules()}
    assert nn.GroupNorm in kinds and nn.BatchNorm2d not in kinds


@pytest.mark.parametrize('groups', SHUFFLENET_V1_WIDTHS)
@pytest.mark.parametrize('arch', SHUFFLENET_V1_SCALES)
def test_shufflenet_v1_with_every_group(arch, groups):
    with torch.device('meta'):
        net = ShuffleNetV1(arch, groups)
        net.eval()(torch.zeros(1, 3, 32, 32))
    assert {m.groups for m in net.stage3.modules() if isinstance(m, nn.Conv2d)} >= {groups}
    assert net.stage2[0].reduce[0].groups == 1
    factor = SHUFFLENET_V1_SCALES[arch][0]
    assert net.out_channels[1] == pytest.approx(SHUFFLENET_V1_WIDTHS[groups] * factor, rel=0.06)


def test_shufflenet_v1_stage_widths_double():
    assert [c for c, _ in shufflenet_v1_arch('1.0x', 8).stages] == [384, 768, 1536]


def test_shufflenet_v1_unit_adds_its_input():
    unit = ShuffleNetV1('0.5x').eval().stage2[1]
    nn.init.zeros_(unit.expand[-1].weight)
    x = torch.rand(1, 120, 5, 5)
    assert torch.equal(unit(x), x)


def test_shufflenet_v1_down_sampling_unit_keeps_its_pooled_input():
    unit = ShuffleNetV1('0.5x').eval().stage3[0]
    x = torch.rand(1, 120, 6, 6)
    expected = nn.functional.avg_pool2d(x, 3, 2, 1)
    assert torch.equal(unit(x)[:, :120], expected)


@pytest.mark.parametrize('arch', SCALES)
@pytest.mark.parametrize('suffix, field', [('', 3), ('_rf7', 7)])
def test_receptive_field_of_an_xception_unit(arch, suffix, field):
    with torch.device('meta'):
        unit = MODELS.build(dict(type='Xception', arch=arch + suffix)).stage3[1]
    kernels = [m.kernel_size[0] for m in unit.modules() if isinstance(m, nn.Conv2d)]
    assert 1 + sum(kernel - 1 for kernel in kernels) == field


@pytest.mark.parametrize('arch', SCALES)
def test_densenet_has_the_layout_of_table_5(arch):
    with torch.device('meta'):
        net = MODELS.build(dict(type='DenseNet', arch=arch))
    stem = net.conv1[0]
    assert (stem.out_channels, stem.kernel_size, stem.stride) == (24, (3, 3), (2, 2))
    assert not hasattr(net, 'stage1') and net.out_channels[0] == 24
    assert [len(stage[1]) for stage in (net.stage2, net.stage3, net.stage4)] == [4, 8, 4]


def test_mobilenet_v2_computes_what_mmdet_does():
    theirs = MobileNetV2(0.5, out_indices=(1, 2, 4, 6, 7))
    theirs.eval()  # returns None
    ours = LevelMobileNetV2(0.5, out_indices=range(5)).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for a, b in zip(ours(x), theirs(x), strict=True):
            assert torch.equal(a, b)


def test_mobilenet_v1_has_13_separable_convs():
    net = MobileNetV1(0.25)
    depthwise = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert len(depthwise) == 13


def test_table7_is_at_the_four_complexities():
    for names in TABLE7.values():
        assert [get_network(name).complexity for name in names] == ['40M', '140M', '300M', '500M']


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(type='ShuffleNetV1', arch='3x'), r"arch='3x' with groups=3 is not in the table"),
        (dict(type='ShuffleNetV1', groups=5), r'allowed: arch .* with groups \[1, 2, 3, 4, 8\]'),
        (dict(type='Xception', arch='1x'), r"arch='1x' is not allowed; choose one of \['0.5x'"),
        (dict(type='DenseNet', arch='121'), "arch='121' is not allowed"),
        (dict(type='MobileNetV1', widen_factor=0), 'widen_factor=0 is not allowed'),
        (dict(type='Xception', out_indices=(4,)), 'out_indices'),
        (dict(type='LevelMobileNetV2', output_stride=8), r'choose one of \[16, 32\]'),
        (dict(type='LevelResNet', out_indices=(4,)), 'out_indices'),
    ],
    ids=str,
)
def test_wrong_arguments_are_named(config, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(config)


def test_unknown_network_is_named():
    with pytest.raises(ValueError, match=r"arch='vgg' is not in the table; allowed: \['snv2_0.5x'"):
        get_network('vgg')


def test_resnet_stops_at_the_last_level():
    assert not hasattr(LevelResNet(18, out_indices=(1,)), 'layer3')

import copy
import importlib.util
import json
from math import sqrt

import pytest
import torch
from run_tool import run_tool
from paths import ROOT
from torch import nn
from torchvision import models
from torchvision.ops import DeformConv2d

from shufflenet_det.archs import ARCHS
from shufflenet_det.bench.complexity import count, network_complexity
from shufflenet_det.bench.complexity_ops import Cost, UnknownOpError, conv_cost, roi_align_cost
from shufflenet_det.bench.detector_complexity import detector_complexity, detector_on_meta

SNV2_MACS = {
    'snv2_0.5x': 39_452_448,
    'snv2_1.0x': 143_883_992,
    'snv2_1.5x': 294_735_392,
    'snv2_2.0x': 581_205_464,
}


def cost_of(module: nn.Module, *inputs: torch.Tensor) -> Cost:
    return count('net', module.eval(), lambda: module(*inputs))[0].total


def test_pointwise_conv_is_equation_1():
    hw, c1, c2 = 56 * 56, 24, 58
    cost = cost_of(nn.Conv2d(c1, c2, 1, bias=False), torch.zeros(1, c1, 56, 56))
    assert cost.macs == hw * c1 * c2
    assert cost.params == c1 * c2
    assert cost.memory_access_cost == hw * (c1 + c2) + c1 * c2
    assert cost.lower_bound == pytest.approx(2 * sqrt(hw * cost.macs) + cost.macs / hw)


def test_group_conv_is_equation_2():
    hw, c1, c2, g = 14 * 14, 24, 48, 4
    cost = cost_of(nn.Conv2d(c1, c2, 1, groups=g, bias=False), torch.zeros(1, c1, 14, 14))
    assert cost.macs == hw * c1 * c2 // g
    assert cost.memory_access_cost == hw * (c1 + c2) + c1 * c2 // g


def test_strided_conv_reads_its_whole_input():
    cost = cost_of(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), torch.zeros(2, 3, 8, 8))
    assert cost.macs == 2 * 4 * 4 * 3 * 8 * 9
    assert cost.memory_access_cost == 2 * (8 * 8 * 3 + 4 * 4 * 8) + 3 * 8 * 9


def test_equal_widths_in_one_group_reach_the_bound():
    assert conv_cost(64, 64, 9, 100, 100).memory_access_ratio == pytest.approx(1)


@pytest.mark.parametrize('c1, c2, groups', [(32, 128, 1), (128, 32, 1), (64, 64, 4), (64, 64, 64)])
def test_other_convs_cost_more_than_the_bound(c1, c2, groups):
    assert conv_cost(c1, c2, 9, 100, 100, groups).memory_access_ratio > 1


def test_linear_layer_with_bytes():
    cost = cost_of(nn.Linear(10, 4), torch.zeros(3, 10))
    assert cost.macs == 3 * 10 * 4
    assert cost.params == 44
    assert cost.memory_access_cost == 3 * (10 + 4) + 40
    assert cost.activation_bytes == 4 * 3 * 4
    assert cost.moved_bytes == 4 * (3 * 10 + 40 + 4 + 3 * 4)
    assert cost.arithmetic_intensity == cost.macs / cost.moved_bytes


def test_transposed_conv():
    cost = cost_of(
        nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2, bias=False), torch.zeros(1, 6, 5, 5)
    )
    assert cost.macs == 25 * 6 * 4 // 2 * 4
    assert cost.memory_access_cost == 25 * 6 + 100 * 4 + 6 * 4 // 2 * 4


def test_deformable_conv_adds_four_macs_a_sample():
    x, offset = torch.zeros(2, 6, 9, 9), torch.zeros(2, 18, 5, 5)
    conv = DeformConv2d(6, 4, 3, stride=2, padding=1, groups=2, bias=False)
    plain = cost_of(nn.Conv2d(6, 4, 3, stride=2, padding=1, groups=2, bias=False), x)
    cost = cost_of(conv, x, offset)
    assert cost.macs == plain.macs + 4 * 6 * 9 * (2 * 5 * 5)
    assert cost.memory_access_cost == plain.memory_access_cost


@pytest.mark.parametrize(
    'name, side',
    [('vit_b_16', 224), ('convnext_tiny', 224), ('maxvit_t', 224), ('swin_t', 224),
     ('swin_v2_t', 256), ('efficientnet_b0', 224)],
)  # fmt: skip
def test_macs_of_other_families_are_those_that_torchvision_states(name, side):
    with torch.device('meta'):
        net = models.get_model(name, weights=None).eval()
        counted, _ = count(name, net, lambda: net(torch.zeros(1, 3, side, side)))
    stated = models.get_model_weights(name).DEFAULT.meta
    assert counted.total.macs / 1e9 == pytest.approx(stated['_ops'], abs=6e-4)
    assert counted.total.params == stated['num_params']


class Functional(nn.Module):
    """Everything that hooks on modules do not see."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 4, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = Double.apply(nn.functional.conv2d(x, self.weight)).flatten(2)
        return y @ y.transpose(1, 2)


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.nn.functional.conv2d(x, torch.ones(8, 1, 1, 1), groups=8) * 2


def test_functional_ops_and_autograd_functions_are_seen():
    cost = cost_of(Functional(), torch.zeros(1, 4, 5, 5))
    assert cost.macs == 25 * 4 * 8 + 25 * 8 + 8 * 25 * 8


def test_unknown_op_is_an_error():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.erf(x)

    with pytest.raises(UnknownOpError, match=r'the cost of aten.erf is not known: add it to HAND'):
        cost_of(Odd(), torch.zeros(2))


def test_layers_and_stages_add_up_to_the_network():
    counted, _ = network_complexity('snv2_0.5x', (64, 64))
    layers = sum((layer.cost for layer in counted.layers), Cost())
    stages = counted.stages()
    assert list(stages) == ['conv1', 'maxpool', 'stage2', 'stage3', 'stage4', 'conv5']
    assert layers == counted.total
    assert sum(stages.values(), Cost()).macs == counted.total.macs


def test_shuffle_moves_bytes_in_its_unit():
    counted, _ = network_complexity('snv2_0.5x', (64, 64))
    (unit,) = [layer for layer in counted.layers if layer.name == 'stage2.1']
    assert unit.cost.macs == 0
    assert unit.cost.activation_bytes == 4 * 48 * 8 * 8  # one concat and shuffle


@pytest.mark.parametrize('name', SNV2_MACS)
def test_macs_of_shufflenet_v2(name):
    counted, classifier = network_complexity(name, (224, 224))
    assert counted.total.macs == SNV2_MACS[name]
    assert classifier.macs == ARCHS[name.removeprefix('snv2_')].last_conv * 1000


@pytest.fixture(scope='module')
def light_head():
    return detector_on_meta(ROOT / 'configs/lighthead_snv2_0.5x.py')


def test_parts_of_a_light_head_r_cnn(light_head):
    counted = detector_complexity(light_head, (64, 96))
    macs = {part.name: part.total.macs for part in counted.parts}
    assert list(macs) == ['backbone', 'RPN', 'thin map', 'RoI head']
    assert counted.rois == 1000
    positions = (64 // 16) * (96 // 16)
    assert macs['RPN'] == positions * (96 * 256 * 9 + 256 * 15 * (1 + 4))
    assert macs['thin map'] == positions / 4 * 2 * 15 * (192 * 64 + 64 * 490)
    fully_connected = 490 * 2048 + 2048 * (81 + 4)
    assert counted.per_roi == fully_connected + 490 * 4 * 4
    assert macs['RoI head'] == 1000 * counted.per_roi
    assert counted.total.macs == sum(macs.values())


def test_every_parameter_of_a_detector_is_counted(light_head):
    counted = detector_complexity(light_head, (64, 96))
    assert counted.total.params == sum(p.numel() for p in light_head.parameters())


def test_number_of_rois(light_head):
    (*_, head) = detector_complexity(light_head, (64, 96), rois=7).parts
    assert head.layers[0].cost == roi_align_cost(7, 10, 49, 2)


def test_feature_pyramid_has_a_neck():
    counted = detector_complexity(
        detector_on_meta(ROOT / 'configs/lighthead_fpn_snv2.py'), (64, 96)
    )
    assert [part.name for part in counted.parts] == [
        'backbone', 'neck', 'RPN', 'thin map', 'RoI head',
    ]  # fmt: skip


def test_parts_that_are_not_known_are_an_error(light_head):
    detector = copy.copy(light_head)
    detector._modules = dict(light_head._modules, encoder=nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"LightHeadRCNN has the parts \['encoder'\], which are"):
        detector_complexity(detector, (64, 96))


def load_tool():
    spec = importlib.util.spec_from_file_location('complexity_tool', ROOT / 'tools/complexity.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


@pytest.mark.parametrize(
    'config', ['ssd/ssd300_coco.py', 'dyhead/atss_r50_fpn_dyhead_1x_coco.py',
               'swin/retinanet_swin-t-p4-w7_fpn_1x_coco.py'],
)  # fmt: skip
def test_tool_takes_detectors_of_mmdet_by_name(tmp_path, capsys, config):
    path = tmp_path / 'cost.json'
    load_tool().main(
        [f'mmdet::{config}', '--shape', '300', '300', '--per', 'part', '--out', str(path)]
    )
    rows = json.loads(path.read_text())['rows']
    assert {row['part'] for row in rows} >= {'backbone', 'neck', 'head'}
    assert all(row['macs'] > 0 for row in rows)


def test_tool_prints_tables_and_writes_json(tmp_path, capsys):
    path = tmp_path / 'complexity.json'
    load_tool().main(['snv2_0.5x', '--shape', '224', '224', '--per', 'stage', '--out', str(path)])
    printed = capsys.readouterr().out
    assert '| stage3 |' in printed and '39,452,448' in printed
    result = json.loads(path.read_text())
    assert result['kind'] == 'complexity'
    assert sum(row['macs'] for row in result['rows']) == 39_452_448


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['vgg16'], "arch='vgg16' is not in the table"),
        (['no/such/config.py'], 'config.py'),
        (['snv2_0.5x', '--shape', '0', '5'], r'size=(0, 5) is not allowed'),
        (['mobilenetv1_0.25', '--rois', '5'], 'has no RoIs'),
    ],
    ids=str,
)
def test_tool_says_what_is_wrong(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        run_tool(lambda: load_tool().main(arguments))
    assert stop.value.code == 2
    assert message in capsys.readouterr().err

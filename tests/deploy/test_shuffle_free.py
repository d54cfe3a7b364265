"""The form without shuffles equals the training form, level by level and channel by channel."""

from collections import Counter

import onnx
import pytest
import torch
from torch import nn
from versions import needs_exporter

from shufflenet_det.archs import ARCHS
from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.deploy.channel_plan import PAD, StagePlan, places
from shufflenet_det.deploy.convert import shuffle_free, structure
from shufflenet_det.deploy.shuffle_free import ShuffleFreeBackbone

TINY = dict(stem=((8, 2),), stages=((12, 2), (20, 5), (28, 9)), last_conv=32)
TINY_4_STAGES = dict(stem=((8, 2), (6, 1)), stages=((8, 3), *TINY['stages']), last_conv=32)

VARIANTS = {
    'plain': dict(),
    'se': dict(se=True),
    'se_full': dict(se=True, se_ratio=1.0),
    'residual': dict(residual=True),
    'se_residual': dict(se=True, residual=True),
    'v2*': dict(large_receptive_field=True),
    'megvii': dict(keep_branch1_width=True, se=True),
    'all': dict(se=True, residual=True, large_receptive_field=True),
    'four_stages': dict(arch=TINY_4_STAGES),
    'stride16': dict(output_stride=16),
    'stride16_no_atrous': dict(output_stride=16, last_dilation=1),
    'last_conv_only': dict(out_indices=(4,)),
    'last_two': dict(out_indices=(3, 4)),
    'early': dict(out_indices=(0, 1)),
    'leaky': dict(act_cfg=dict(type='LeakyReLU', negative_slope=0.1)),
    'swish': dict(act_cfg=dict(type='Swish')),
    'hsigmoid': dict(act_cfg=dict(type='HSigmoid')),
}


def make(**kwargs) -> ShuffleNetV2:
    """A net with batch norms far from the identity and activations near 1 at any depth."""
    torch.manual_seed(0)
    net = ShuffleNetV2(**{'arch': TINY, 'out_indices': range(5), **kwargs})
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.3)
            norm.momentum = 1
    with torch.no_grad():
        net.train()(torch.randn(4, 3, 96, 96))
    return net.eval()


@torch.no_grad()
def relative_errors(expected, got) -> list[float]:
    assert [x.shape for x in got] == [x.shape for x in expected]
    return [
        ((a - b).abs().max() / a.abs().max()).item() for a, b in zip(expected, got, strict=True)
    ]


@pytest.mark.parametrize('align', [1, 16])
@pytest.mark.parametrize('variant', VARIANTS)
@torch.no_grad()
def test_every_level_is_equal(variant, align):
    net = make(**VARIANTS[variant]).double()
    image = torch.randn(2, 3, 67, 97).double()
    assert max(relative_errors(net(image), shuffle_free(net, align=align)(image))) < 1e-10


@pytest.mark.parametrize('arch', ARCHS)
@torch.no_grad()
def test_every_row_of_the_table_is_equal(arch):
    net = make(arch=arch).double()
    image = torch.randn(1, 3, 64, 70).double()
    assert max(relative_errors(net(image), shuffle_free(net)(image))) < 1e-10


@pytest.mark.parametrize('arch', ARCHS)
@torch.no_grad()
def test_float32_rounds_no_more_than_the_training_form(arch):
    net = make(arch=arch)
    image = torch.randn(1, 3, 64, 70)
    free, trained = shuffle_free(net)(image), net(image)
    exact = [x.float() for x in net.double()(image.double())]
    limits = [max(1e-5, 2 * own) for own in relative_errors(exact, trained)]
    errors = relative_errors(exact, free)
    assert all(e < limit for e, limit in zip(errors, limits, strict=True)), errors


@pytest.mark.parametrize('align', [1, 16])
@torch.no_grad()
def test_level_orders_name_the_original_channels(align):
    net = make()
    image = torch.randn(1, 3, 64, 64)
    free = shuffle_free(net, original_order=False, align=align)
    outs = [x[:, places(o)] for x, o in zip(free(image), free.level_orders, strict=True)]
    assert max(relative_errors(net(image), outs)) < 1e-5


def test_channels_and_strides_are_those_of_the_training_form():
    net = make(output_stride=16)
    free = shuffle_free(net, align=16)
    assert (free.out_channels, free.out_strides) == (net.out_channels, net.out_strides)


@torch.no_grad()
def test_reloads_from_its_arguments_and_state_dict():
    net = make(output_stride=16, se=True, residual=True)
    free = shuffle_free(net)
    again = ShuffleFreeBackbone(**structure(net)).eval()
    again.load_state_dict(free.state_dict())
    image = torch.randn(1, 3, 64, 64)
    assert max(relative_errors(free(image), again(image))) == 0


def test_the_training_form_stays_as_it_is():
    net = make()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    shuffle_free(net)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


@torch.no_grad()
def test_channels_last_input_gives_the_same():
    free = shuffle_free(make())
    image = torch.randn(1, 3, 64, 64)
    other = free(image.contiguous(memory_format=torch.channels_last))
    assert max(relative_errors(free(image), other)) < 1e-6


@pytest.mark.parametrize(('half', 'units'), [(24, 4), (48, 8), (58, 4), (116, 8), (85, 10)])
def test_plan_reads_every_channel_once_in_few_pieces(half, units):
    plan = StagePlan(half, units)
    written = Counter((p.writer, c) for p in plan.pieces for c in p.written)
    assert written == Counter((writer, c) for writer in range(units + 1) for c in range(half))
    assert len(plan.pieces) <= (units - 1) * (units + 2) // 2 + units + 1


def test_plan_pads_every_piece():
    pieces = StagePlan(58, 4, align=16).pieces
    assert all(len(p.written) % 16 == 0 and len(p.read) == len(p.written) for p in pieces)
    for piece in pieces:
        assert [w == PAD for w in piece.written] == [r == PAD for r in piece.read]


def export(net, path) -> Counter:
    images = torch.randn(2, 3, 64, 96)
    torch.onnx.export(
        net, (images,), path, input_names=['x'], dynamo=True, verbose=False, external_data=False,
        dynamic_shapes=({0: 'n', 2: 'h', 3: 'w'},), opset_version=18,
    )  # fmt: skip
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@needs_exporter
@pytest.mark.parametrize(('align', 'cutting'), [(1, {'Split', 'Slice'}), (16, set())])
def test_onnx_has_no_shuffle_ops(tmp_path, align, cutting):
    """Cut into pieces with one Split a writer or one Slice a piece, as PyTorch's exporter likes."""
    free = shuffle_free(make(), original_order=False, align=align)
    ops = export(free, tmp_path / 'free.onnx')
    assert set(ops) - cutting == {'Conv', 'Relu', 'MaxPool', 'Concat'}
    plans = [StagePlan(channels // 2, units) for channels, units in TINY['stages']]
    assert ops['Concat'] == sum(plan.units for plan in plans)
    assert ops['Split'] <= sum(plan.units for plan in plans)
    assert ops['Slice'] <= sum(len(plan.pieces) for plan in plans)


@needs_exporter
@pytest.mark.parametrize('residual', [False, True])
def test_one_gather_a_unit_is_left_with_residual(tmp_path, residual):
    free = shuffle_free(make(residual=residual), original_order=False)
    gathers = export(free, tmp_path / 'free.onnx')['Gather']
    assert gathers == residual * sum(units - 1 for _, units in TINY['stages'])


@needs_exporter
@pytest.mark.parametrize('align', [1, 16])
def test_onnx_takes_any_batch_and_size(tmp_path, align):
    ort = pytest.importorskip('shufflenet_det.deploy.onnx_runtime', exc_type=ImportError)
    free = shuffle_free(make(), align=align)
    export(free, tmp_path / 'free.onnx')
    session = ort.InferenceSession(tmp_path / 'free.onnx', providers=['CPUExecutionProvider'])
    images = torch.randn(3, 3, 75, 131)
    outs = [torch.from_numpy(x) for x in session.run(None, {'x': images.numpy()})]
    mine = free(images)
    exact = [x.float() for x in free.double()(images.double())]
    assert max(relative_errors(exact, outs)) < max(1e-5, 2 * max(relative_errors(exact, mine)))


@pytest.mark.parametrize(
    ('backbone', 'message'),
    [
        (nn.Conv2d(3, 3, 1), 'Conv2d has no shuffles'),
        (ShuffleNetV2(TINY, norm_cfg=dict(type='GN', num_groups=2)), 'GroupNorm'),
        (ShuffleNetV2(TINY, conv_cfg=dict(type='Conv2dAdaptivePadding')), 'conv_cfg=None'),
    ],
)
def test_what_cannot_be_switched_is_named(backbone, message):
    with pytest.raises(ValueError, match=message):
        shuffle_free(backbone)

"""What runs in int8, and what stays as it is; on graphs that are written here."""

from __future__ import annotations

from importlib.util import find_spec

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from shufflenet_det.deploy.equalise import equalise, pairs
from shufflenet_det.deploy.model_info import ModelInfo
from shufflenet_det.deploy.onnx_export import add_info, info_text
from shufflenet_det.deploy.onnx_runtime import InferenceSession
from shufflenet_det.deploy.quantize import (
    FULLY_CONNECTED,
    HIDDEN_LAYERS,
    QUANTISED_OPS,
    Method,
    quantise,
    quantised,
    quantised_nodes,
)

IMAGES = [np.random.default_rng(i).integers(0, 256, (1, 3, 32, 48), np.uint8) for i in range(2)]


class Builder:
    """An ONNX graph from images to a map, node by node."""

    def __init__(self) -> None:
        self.nodes, self.weights = [], []
        self.random = np.random.default_rng(0)
        self.add('Cast', ['images'], 'pixels', to=TensorProto.FLOAT)
        self.weights.append(numpy_helper.from_array(np.float32(255), 'full'))
        self.add('Div', ['pixels', 'full'], 'x')

    def add(self, op: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], output, **attributes))
        return output

    def conv(self, name: str, read: str, c_in: int, c_out: int, groups: int = 1) -> str:
        kernel = 3 if groups > 1 else 1
        spread = np.exp(self.random.normal(-1, 1, (c_out, 1, 1, 1)))  # channels of unlike range
        shape = (c_out, c_in // groups, kernel, kernel)
        weight = self.random.normal(0, (c_in // groups * kernel**2) ** -0.5, shape) * spread
        weight = weight.astype(np.float32)
        bias = self.random.normal(0, 0.1, c_out).astype(np.float32)
        inputs = [read, f'{name}.weight', f'{name}.bias']
        self.weights += map(numpy_helper.from_array, (weight, bias), inputs[1:])
        return self.add('Conv', inputs, name, group=groups, pads=[kernel // 2] * 4)

    def leaky(self, read: str) -> str:
        return self.add('LeakyRelu', [read], f'{read}.act', alpha=0.1)

    def model(self, output: str) -> onnx.ModelProto:
        images = helper.make_tensor_value_info('images', TensorProto.UINT8, ['N', 3, 'H', 'W'])
        found = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, 'g', [images], [found], self.weights)
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)])
        proto.ir_version = 10
        normalisation = dict(mean=[0.0] * 3, std=[1.0] * 3, bgr_to_rgb=False, pad_size_divisor=1)
        add_info(proto, ModelInfo('levels', (), None, normalisation))
        return proto


@pytest.fixture
def unit() -> onnx.ModelProto:
    """A stem, then 1x1, depthwise and 1x1 convs with LeakyReLU, resized, added, and a score."""
    b = Builder()
    b.weights.append(numpy_helper.from_array(np.float32([1, 1, 2, 2]), 'twice'))
    stem = b.leaky(b.conv('backbone.stem.0', 'x', 3, 8))
    expand = b.leaky(b.conv('backbone.expand', stem, 8, 16))
    depthwise = b.conv('backbone.depthwise', expand, 16, 16, groups=16)
    project = b.leaky(b.conv('backbone.project', depthwise, 16, 8))
    added = b.add('Add', [project, stem], 'added')
    resized = b.add('Resize', [added, '', 'twice'], 'resized', mode='linear')
    logits = b.conv('rpn_cls', resized, 8, 2)
    return b.model(b.add('Sigmoid', [logits], 'scores'))


def run(proto: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    session = InferenceSession(proto.SerializeToString(), providers=['CPUExecutionProvider'])
    return session.run(None, dict(images=image))[0]


WHOLE = ['backbone.expand', 'backbone.expand.act', 'backbone.depthwise', 'backbone.project',
         'backbone.project.act', 'added', 'resized']  # fmt: skip


@pytest.mark.parametrize(
    'method, expected',
    [
        (Method(), WHOLE),
        (Method(left=()), ['backbone.stem.0', 'backbone.stem.0.act', *WHOLE]),
        (
            Method(left=('backbone.stem.', 'backbone.expand.')),
            [name for name in WHOLE if 'expand' not in name],
        ),
    ],
    ids=['stem in fp32', 'all', 'a conv with its activation in fp32'],
)
def test_int8_reaches_through_leaky_relu_add_and_resize(unit, method, expected):
    assert quantised_nodes(unit, method.left) == expected


@pytest.mark.parametrize('method', [Method(), Method('MinMax'), Method('Entropy')])
def test_int8_gives_much_the_same(unit, method):
    rough = quantised(unit, IMAGES, method)
    assert np.abs(run(rough, IMAGES[0]) - run(unit, IMAGES[0])).mean() < 0.02


def test_leaky_relu_reads_and_gives_int8(unit):
    nodes = {name: node for node in quantised(unit, IMAGES).graph.node for name in node.output}
    readers = {name: node for node in nodes.values() for name in node.input}
    acts = [n for n in nodes.values() if n.op_type == 'LeakyRelu' and 'stem' not in n.name]
    assert len(acts) == 2
    for act in acts:
        assert nodes[act.input[0]].op_type == 'DequantizeLinear'
        assert readers[act.output[0]].op_type == 'QuantizeLinear'


def test_nodes_stand_in_the_order_in_which_they_run(unit):
    graph = quantised(unit, IMAGES).graph
    known = {'images', ''} | {weight.name for weight in graph.initializer}
    for node in graph.node:
        assert known.issuperset(node.input)
        known.update(node.output)


def test_weights_have_a_scale_for_each_channel(unit):
    graph = quantised(unit, IMAGES).graph
    scales = {w.name: list(w.dims) for w in graph.initializer if w.name.endswith('weight_scale')}
    assert sorted(scales.values()) == [[8], [16], [16]]


def test_range_holds_a_share_of_the_values(unit):
    names = 'backbone.expand_scale', 'added_scale'

    def scales(percentile: float) -> list[float]:
        graph = quantised(unit, IMAGES, Method(percentile=percentile)).graph
        found = {w.name: w for w in graph.initializer}
        return [float(numpy_helper.to_array(found[name])) for name in names]

    assert all(narrow < wide for narrow, wide in zip(scales(95.0), scales(100.0), strict=True))


def test_pairs_are_convs_of_one_reader(unit):
    found = [(p.first.name, p.second.name, p.between, p.depthwise) for p in pairs(unit.graph)]
    assert found == [
        ('backbone.expand', 'backbone.depthwise', 'backbone.expand.act', True),
        ('backbone.depthwise', 'backbone.project', 'backbone.depthwise', False),
    ]


def test_equalising_changes_no_value(unit):
    levelled = equalise(unit, IMAGES)
    before = {w.name: numpy_helper.to_array(w) for w in unit.graph.initializer}
    after = {w.name: numpy_helper.to_array(w) for w in levelled.graph.initializer}
    changed = {name for name in before if not np.allclose(before[name], after[name])}
    assert 'backbone.expand.weight' in changed and 'backbone.stem.0.weight' not in changed
    np.testing.assert_allclose(run(levelled, IMAGES[1]), run(unit, IMAGES[1]), atol=1e-4)


def test_info_says_int8(unit, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), IMAGES[0][0].transpose(1, 2, 0))
    info = ModelInfo.from_json(info_text(quantise(unit, [tmp_path / 'a.png'])))
    assert info.precision == 'int8'


@pytest.mark.skipif(not find_spec('openvino'), reason='needs openvino')
def test_openvino_reads_the_pairs(unit):
    import openvino

    rough = quantised(unit, IMAGES)
    model = openvino.Core().read_model(rough.SerializeToString(), b'')
    compiled = openvino.Core().compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    (found,) = compiled(IMAGES[0]).values()
    assert np.abs(found - run(unit, IMAGES[0])).mean() < 0.02


def test_int8_leaves_what_gives_boxes_and_scores_alone(single):
    proto = onnx.load(single.onnx)
    chosen = set(quantised_nodes(proto, Method().left))
    nodes = {node.name: node for node in proto.graph.node}
    layers = [nodes[name] for name in chosen if nodes[name].op_type == FULLY_CONNECTED]
    assert [HIDDEN_LAYERS in node.input[1] for node in layers] == [True]
    others = chosen - {node.name for node in layers}
    assert {nodes[name].op_type for name in others} <= set(QUANTISED_OPS)
    left = [n for n in proto.graph.node if n.op_type == 'Conv' and n.name not in chosen]
    weights = {name for node in left for name in node.input[1:2]}
    outputs = {'proposals.head.rpn_cls.weight', 'proposals.head.rpn_reg.weight'}
    assert {name for name in weights if not name.startswith(Method().left)} == outputs

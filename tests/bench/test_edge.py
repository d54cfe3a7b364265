"""Detectors for the edge beside their peers."""

import numpy as np
import onnx
import pytest
import torch
from mmdet.structures import DetDataSample
from onnx import TensorProto, helper, numpy_helper

from shufflenet_det.bench.detector_forms import build_detector
from shufflenet_det.bench.edge.compare import tables
from shufflenet_det.bench.edge.peers import CONTESTANTS, SIZES, contestants
from shufflenet_det.bench.edge.shares import part_names, shares, shares_of_events
from shufflenet_det.bench.edge.timed_graph import TimedGraph
from shufflenet_det.bench.timing import summarise
from shufflenet_det.deploy.dense_graph import DenseGraph
from shufflenet_det.training.launch import load_config

OURS = [c for c in CONTESTANTS if c.name.startswith('lighthead')]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('ours', OURS, ids=lambda c: c.name)
def test_edge_configs_have_few_proposals_and_their_size(ours, size):
    cfg = load_config(ours.config_for(size))
    assert 100 <= cfg.model.test_cfg.rpn.max_per_img <= 300
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        (scale,) = (step.scale for step in loader.dataset.pipeline if step.type == 'Resize')
        assert scale == (size, size)


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r'size 640 is not compared; allowed: \[320, 416\]'):
        contestants(640)


@pytest.mark.parametrize(
    'name, graph',
    [
        ('yolox_nano', TimedGraph), ('ssdlite_mobilenetv2', TimedGraph),
        ('rtmdet_tiny', DenseGraph),
    ],
)  # fmt: skip
@torch.no_grad()
def test_best_detection_of_a_peers_graph_is_mmdets(name, graph):
    (peer,) = (c for c in CONTESTANTS if c.name == name)
    model = build_detector(peer.config_for(320))
    model.test_cfg.score_thr = 0.0
    for layer in model.bbox_head.modules():  # fresh scores are all alike
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.normal_(layer.weight, std=0.1)
    image = torch.randint(0, 256, (1, 3, 320, 320), dtype=torch.uint8)
    info = dict(img_shape=(320, 320), ori_shape=(320, 320), scale_factor=(1.0, 1.0))
    sample = DetDataSample(metainfo=info)
    (expected,) = model.test_step(dict(inputs=[image[0]], data_samples=[sample]))
    boxes, scores, labels = (part.reshape(-1, *part.shape[2:]) if graph is DenseGraph else part
                             for part in graph(model).eval()(image))  # fmt: skip
    first = expected.pred_instances[0]
    assert scores[0].item() == pytest.approx(first.scores.item(), abs=1e-4)
    inside = boxes[0].clamp(0, 320)
    same = (expected.pred_instances.bboxes.clamp(0, 320) - inside).abs().amax(1) < 0.1
    assert labels[0] in expected.pred_instances.labels[same]


@pytest.fixture
def graph() -> onnx.ModelProto:
    """Cast, backbone's conv, Relu, head's conv, Relu."""
    weight = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), 'backbone.a.weight')
    other = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), 'x.weight')
    nodes = [
        helper.make_node('Cast', ['images'], ['f'], to=TensorProto.FLOAT),
        helper.make_node('Conv', ['f', 'backbone.a.weight'], ['a']),
        helper.make_node('Sin', ['a'], ['b']),
        helper.make_node('Conv', ['b', 'x.weight'], ['c'], '/bbox_head/conv/Conv'),
        helper.make_node('Sin', ['c'], ['d']),
    ]
    images = helper.make_tensor_value_info('images', TensorProto.UINT8, [1, 3, 'H', 'W'])
    found = helper.make_tensor_value_info('d', TensorProto.FLOAT, None)
    made = helper.make_graph(nodes, 'g', [images], [found], [weight, other])
    proto = helper.make_model(made, opset_imports=[helper.make_opsetid('', 18)])
    proto.ir_version = 10
    return proto


def test_nodes_belong_to_the_part_of_the_weights_before_them(graph):
    assert part_names(graph) == ['pre-processing', 'backbone', 'backbone', 'head',
                                 'post-processing']  # fmt: skip


@pytest.mark.parametrize('name', ['node3', 'fused node3', '/bbox_head/out_nchwc'])
def test_what_the_runtime_makes_of_a_node_belongs_to_its_part(name):
    parts = {'node3': 'head', '/bbox_head/out': 'head'}
    event = dict(cat='Node', name=f'{name}_kernel_time', ts=1, dur=5)
    assert shares_of_events([event], parts) == dict(head=1)


def test_shares_of_the_parts_sum_up_to_all(graph):
    found = shares(graph, np.zeros((1, 3, 32, 32), np.uint8), runs=4)
    assert set(found) <= {'pre-processing', 'backbone', 'head', 'post-processing'}
    assert sum(found.values()) == pytest.approx(1)


def test_table_sets_roi_head_and_post_processing_beside_the_backbone():
    timing = vars(summarise('', [5.0] * 9))
    part = dict(backbone=0.5, neck=0.2) | {'RoI head': 0.1, 'post-processing': 0.2}
    row = dict(name='a', config='a.py', size=320, macs=10**8, shares=part, timing=timing)
    _, parts = tables(dict(rows=[row], again=timing))
    assert parts.header[-1] == 'beside backbone'
    assert parts.rows[0][-1] == pytest.approx(0.6)

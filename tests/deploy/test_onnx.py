"""The exported graph equals the detector in PyTorch and holds standard operators only."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config
from onnx.defs import get_all_schemas
from paths import ROOT
from torch import nn

from shufflenet_det.data.pixels import read_image
from shufflenet_det.deploy.contract import Expected
from shufflenet_det.deploy.detector_graph import DetectorGraph
from shufflenet_det.deploy.model_info import METADATA_KEY, Resize
from shufflenet_det.deploy.onnx_export import build_graph, resize_of, save_onnx, to_onnx, to_proto
from shufflenet_det.deploy.onnx_runtime import InferenceSession
from shufflenet_det.deploy.quantize import quantise
from shufflenet_det.deploy.runtime import Detector
from shufflenet_det.deploy.sources import find_images

PIXELS, SCORE = 1e-3, 1e-4


def assert_same(found, expected) -> None:
    (boxes, scores, labels), (boxes2, scores2, labels2) = found, expected
    np.testing.assert_array_equal(labels, labels2)
    np.testing.assert_allclose(scores, scores2, atol=SCORE, rtol=0)
    np.testing.assert_allclose(boxes, boxes2, atol=PIXELS, rtol=0)


def run_session(path_or_proto, images: np.ndarray) -> list[np.ndarray]:
    if isinstance(path_or_proto, onnx.ModelProto):
        path_or_proto = path_or_proto.SerializeToString()
    session = InferenceSession(path_or_proto, providers=['CPUExecutionProvider'])
    return session.run(None, {'images': images})


@pytest.mark.parametrize('size', [(150, 200), (97, 61), (300, 160)])
def test_detections_equal_mmdets(exported, image, size):
    image = np.resize(image, (*size, 3))
    expected = exported.predictor()(image)
    assert len(expected[0]) > 3
    assert_same(Detector(exported.onnx)(image), expected)


def test_detections_on_real_images_equal_mmdets(exported, test_data):
    predictor, detector = exported.predictor(), Detector(exported.onnx)
    for path in find_images(test_data / 'coco128_train2017/train2017')[:8]:
        image = read_image(path)
        assert_same(detector(image), predictor(image))


def test_images_of_a_batch_do_not_touch_each_other(exported, image):
    images = np.stack([image, image[::-1], 255 - image]).transpose(0, 3, 1, 2)
    together = run_session(exported.onnx, images)
    for i in range(len(images)):
        alone = run_session(exported.onnx, images[i : i + 1])
        for part, own in zip(together, alone, strict=True):
            np.testing.assert_allclose(part[i], own[0], atol=PIXELS)


def test_places_behind_the_last_detection_are_marked(exported):
    boxes, scores, labels = run_session(exported.onnx, np.zeros((1, 3, 32, 32), np.uint8))
    assert boxes.shape == (1, 20, 4)
    empty = labels == -1
    assert (scores[empty] == 0).all() and (boxes[empty] == 0).all()
    assert (scores[~empty] > 0.05).all()


def test_only_standard_operators_of_one_opset(exported):
    proto = onnx.load(exported.onnx)
    onnx.checker.check_model(proto, full_check=True)
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [('', 18)]
    known = {schema.name for schema in get_all_schemas() if schema.domain == ''}
    assert {node.op_type for node in proto.graph.node} <= known


def test_batch_and_size_are_dynamic(exported):
    (images,) = onnx.load(exported.onnx).graph.input
    dims = [dim.dim_param or dim.dim_value for dim in images.type.tensor_type.shape.dim]
    assert dims == ['batch', 3, 'height', 'width']


def test_metadata_describes_the_model(single):
    (text,) = (p.value for p in onnx.load(single.onnx).metadata_props if p.key == METADATA_KEY)
    info = json.loads(text)
    assert info['classes'] == ['circle', 'square', 'star']
    assert info['resize'] == dict(scale=[160, 128], keep_ratio=True, interpolation='bilinear')
    assert info['normalisation']['bgr_to_rgb'] is True
    assert info['normalisation']['mean'] == pytest.approx([123.675, 116.28, 103.53])


@pytest.mark.parametrize('half, opset, tolerance', [(False, 20, 1e-5), (True, 18, 1e-2)])
def test_backbone_alone_gives_the_trained_forms_levels(single, image, half, opset, tolerance):
    model = single.predictor().model
    images = torch.from_numpy(image.transpose(2, 0, 1)[None].copy())
    with torch.no_grad():
        batch = model.data_preprocessor(dict(inputs=list(images)))['inputs']
        expected = model.backbone(batch)
    proto = to_onnx(model, Config.fromfile(single.config), 'levels', half, opset)
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [('', opset)]
    for level, own in zip(run_session(proto, images.numpy()), expected, strict=True):
        assert level.dtype == np.float32
        assert level.shape == own.shape
        assert np.abs(level - own.numpy()).max() < tolerance * own.abs().max()


def test_no_path_of_the_machine_travels(single):
    content = Path(single.onnx).read_bytes()
    assert str(ROOT).encode() not in content and b'site-packages' not in content


@torch.no_grad()
def test_graph_without_postprocessing_gives_all_rois(single, image):
    graph = build_graph(single.predictor().model, 'rois')
    boxes, scores = graph(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()))
    assert boxes.shape == (1, 60, 4)
    assert scores.shape == (1, 60, 3)


@pytest.fixture(scope='module')
def calibration(tmp_path_factory, image):
    import cv2

    folder = tmp_path_factory.mktemp('calibration')
    for i in range(4):
        cv2.imwrite(str(folder / f'{i}.png'), np.roll(image, 40 * i, 1))
    return find_images(folder)


def test_int8_form_finds_much_the_same(single, calibration, tmp_path, image):
    proto = quantise(onnx.load(single.onnx), calibration)
    assert {entry.domain for entry in proto.opset_import} == {''}
    save_onnx(proto, tmp_path / 'int8.onnx')
    exact, rough = Detector(single.onnx), Detector(tmp_path / 'int8.onnx')
    assert rough.info.precision == 'int8'
    assert rough(image)[1][0] == pytest.approx(exact(image)[1][0], abs=0.1)


def test_int8_needs_images(single):
    with pytest.raises(ValueError, match='calibration images'):
        quantise(onnx.load(single.onnx), [])


def test_failure_of_the_exporter_says_which_torch_can(monkeypatch):
    def fail(*args, **kwargs):
        raise torch.onnx.OnnxExporterError('Failed to export the model')

    monkeypatch.setattr(torch.onnx, 'export', fail)
    with pytest.raises(ValueError, match=r'torch .* does not export this network .* torch 2.14'):
        to_proto(nn.Conv2d(3, 4, 1), (Expected('out', 'tensor(float)'),), 18)


@pytest.mark.parametrize('opset', [11, 17, 99])
def test_other_opsets_are_refused(opset):
    with pytest.raises(ValueError, match=f'opset {opset} is not supported: give 18 to 20'):
        to_onnx(nn.Identity(), {}, opset=opset)


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: DetectorGraph(nn.Identity()), 'LightHeadRCNN .*--backbone-only'),
        (lambda: build_graph(nn.Identity(), 'detections'), 'ShuffleNetV2'),
    ],
)
def test_other_models_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_soft_nms_is_refused(single):
    model = single.predictor().model
    model.roi_head.test_cfg.nms = dict(type='soft_nms', iou_threshold=0.5)
    with pytest.raises(ValueError, match=r'test_cfg.rcnn.nms: .*soft_nms'):
        build_graph(model, 'detections')


RESIZE = dict(type='Resize', scale=(64, 32))


def pipeline(*steps: dict) -> dict:
    steps = [dict(type='LoadImageFromFile'), *steps, dict(type='PackDetInputs')]
    return dict(test_dataloader=dict(dataset=dict(pipeline=steps)))


@pytest.mark.parametrize(
    'steps, expected', [([], None), ([RESIZE], Resize((64, 32), keep_ratio=False))]
)
def test_resizing_of_the_test_pipeline(steps, expected):
    assert resize_of(pipeline(*steps)) == expected


@pytest.mark.parametrize(
    'steps',
    [[RESIZE, RESIZE], [dict(type='RandomCrop')], [dict(type='Resize', scale_factor=0.5)]],
)
def test_other_resizing_is_refused(steps):
    with pytest.raises(ValueError, match='test pipeline'):
        resize_of(pipeline(*deepcopy(steps)))


def test_interrupted_write_leaves_the_old_file_and_no_other(tmp_path, single, monkeypatch):
    path = tmp_path / 'model.onnx'
    path.write_bytes(b'old')

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_onnx(onnx.load(single.onnx), path)
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_broken_model_is_not_written(tmp_path, single):
    proto = onnx.load(single.onnx)
    del proto.graph.node[5]
    with pytest.raises(onnx.checker.ValidationError):
        save_onnx(proto, tmp_path / 'model.onnx')
    assert not list(tmp_path.iterdir())

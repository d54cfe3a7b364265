"""NanoDet as one ONNX graph finds what it finds in PyTorch."""

import numpy as np
import onnx
import pytest
import torch
from nanodet_cases import CONFIGS, small, small_config, trained
from small_detector import made_once
from torch import nn

from shufflenet_det.data.pixels import read_image
from shufflenet_det.deploy.dense_graph import DenseGraph
from shufflenet_det.deploy.evaluate import SCORE, agreement
from shufflenet_det.deploy.onnx_export import build_graph, save_onnx, to_onnx
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.deploy.runtime import Detector
from shufflenet_det.deploy.sources import find_images

CLASSES = ('one', 'two', 'three')


@torch.no_grad()
def sharpen(model: nn.Module) -> None:
    """Scores that differ, as if trained."""
    for conv in model.bbox_head.gfl_cls:
        nn.init.normal_(conv.weight, std=1.0)
        nn.init.constant_(conv.bias[: len(CLASSES)], -2.0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.5)
            nn.init.normal_(module.bias, std=0.3)


@pytest.fixture(scope='module', params=CONFIGS)
def exported(request, folder):
    """(predictor of the small detector, its ONNX file)."""
    config, checkpoint, path = (folder / f'{request.param}.{end}' for end in ('py', 'pth', 'onnx'))
    with made_once(path) as missing:
        if missing:
            _write(request.param, config, checkpoint, path)
    return MMDetPredictor(str(config), str(checkpoint), 'cpu'), path


def _write(name, config, checkpoint, path):
    cfg = small_config(name, len(CLASSES))
    cfg.test_pipeline[1].scale = (160, 128)
    cfg.test_dataloader.dataset.pipeline = cfg.test_pipeline
    cfg.dump(config)
    torch.manual_seed(0)
    model = small(name, len(CLASSES))
    sharpen(model)
    meta = dict(dataset_meta=dict(classes=CLASSES))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), checkpoint)
    save_onnx(to_onnx(MMDetPredictor(str(config), str(checkpoint), 'cpu').model, cfg), path)


def assert_same(found, expected):
    """Of boxes with scores equal to rounding either may come first, and survive the NMS."""
    assert len(found[0]) == len(expected[0])
    better = expected[1] > expected[1].min() + SCORE
    compared = agreement({0: found}, {0: [part[better] for part in expected]})
    assert compared.detections > 0 and compared.same >= 0.95 * compared.detections


@pytest.mark.parametrize('size', [(150, 200), (97, 61), (300, 160)])
def test_detections_equal_mmdets(exported, image, size):
    predictor, path = exported
    picture = np.resize(image, (*size, 3))
    expected = predictor(picture)
    assert len(expected[0]) > 3
    assert_same(Detector(path)(picture), expected)


def test_detections_in_photographs_equal_mmdets(exported, test_data):
    predictor, path = exported
    detector = Detector(path)
    assert detector.classes == CLASSES
    for picture in find_images(test_data / 'coco128_train2017/train2017')[:8]:
        assert_same(detector(read_image(picture)), predictor(read_image(picture)))


def test_only_standard_operators_and_dynamic_sizes(exported):
    proto = onnx.load(exported[1])
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [('', 18)]
    (images,) = proto.graph.input
    dims = [dim.dim_param or dim.dim_value for dim in images.type.tensor_type.shape.dim]
    assert dims == ['batch', 3, 'height', 'width']


@pytest.mark.parametrize('half, pixels', [(False, 1e-3), (True, 1.0)])
@torch.no_grad()
def test_graph_of_trained_weights_equals_mmdets(test_data, half, pixels):
    row = trained(test_data, 'nanodet-plus-m-416')
    predictor = MMDetPredictor(str(row.config), str(row.checkpoint), 'cpu')
    graph = build_graph(
        MMDetPredictor(str(row.config), str(row.checkpoint), 'cpu').model, 'detections'
    )
    if half:
        graph.half_dense()
    picture = read_image(test_data / 'coco128_train2017/train2017/000000000009.jpg')
    picture = np.ascontiguousarray(picture[:416, :416])
    boxes, scores, labels = (
        out[0].numpy() for out in graph(torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()))
    )
    expected, sure, kinds = predictor(picture)
    best = sure > 0.3
    assert best.sum() > 3
    np.testing.assert_array_equal(labels[: len(best)][best], kinds[best])
    np.testing.assert_allclose(boxes[: len(best)][best], expected[best], atol=pixels, rtol=0)
    assert scores.dtype == np.float32


def test_other_output_is_refused():
    with pytest.raises(ValueError, match='output: the export knows .*, the detector has rois'):
        build_graph(small('nanodet_m_320'), 'rois')


def test_setting_that_the_graph_cannot_have_is_named():
    model = small('nanodet_m_320')
    model.bbox_head.test_cfg.nms = dict(type='soft_nms', iou_threshold=0.5)
    with pytest.raises(ValueError, match=r'test_cfg\.nms: the export knows'):
        DenseGraph(model)

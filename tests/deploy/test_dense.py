"""One-stage detectors around our backbones: as a graph and cut, they find what mmdet's find."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config, ConfigDict
from small_detector import ARCH, CLASSES, SCALE
from torch import nn

from shufflenet_det.bench.runtimes.weights import spread
from shufflenet_det.bench.untrained import detect
from shufflenet_det.deploy.evaluate import SCORE, agreement
from shufflenet_det.deploy.onnx_export import build_graph, model_info, to_onnx
from shufflenet_det.deploy.runtime import Detector
from shufflenet_det.deploy.selection import SplitDetector
from shufflenet_det.deploy.switch import switch_to_deploy
from shufflenet_det.deploy.writers.split import split

SQUARES = dict(type='AnchorGenerator', ratios=[1.0], octave_base_scale=5, scales_per_octave=1,
               strides=[8, 16, 32])  # fmt: skip
POINTS = dict(type='MlvlPointGenerator', offset=0, strides=[8, 16, 32])
RTMDET = dict(type='RTMDet', anchor_generator=POINTS,
              bbox_coder=dict(type='DistancePointBBoxCoder'))  # fmt: skip
GFL = dict(type='GFL', anchor_generator=SQUARES, reg_max=7)
RETINA = dict(type='RetinaNet', bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
              anchor_generator=dict(SQUARES, ratios=[0.5, 2.0], scales_per_octave=2))  # fmt: skip
KINDS = {
    'GFLHead': GFL,
    'GFLSepBNHead': GFL,
    'RetinaHead': RETINA,
    'RetinaSepBNHead': dict(RETINA, num_ins=3),
    'RTMDetHead': RTMDET,
    'RTMDetSepBNHead': dict(RTMDET, exp_on_reg=True),
}  # fmt: skip
"""Head -> its detector and what is special."""
PIPELINE = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=SCALE, keep_ratio=True)]
CFG = Config(dict(test_dataloader=dict(dataset=dict(pipeline=PIPELINE))))


def config(kind: str, **test_cfg: object) -> dict:
    own = dict(KINDS[kind])
    detector = own.pop('type')
    norm = dict(type='BN')
    return ConfigDict(
        type=detector,
        data_preprocessor=dict(type='DetDataPreprocessor', mean=[120.0, 115.0, 100.0],
                               std=[58.0, 57.0, 56.0], bgr_to_rgb=True, pad_size_divisor=32),
        backbone=dict(type='ShuffleNetV2', arch=ARCH, out_indices=(1, 2, 3)),
        neck=dict(type='FPN', in_channels=[16, 32, 64], out_channels=16, num_outs=3, norm_cfg=norm),
        bbox_head=dict(type=kind, num_classes=len(CLASSES), in_channels=16, feat_channels=16,
                       stacked_convs=1, norm_cfg=norm, **own),
        test_cfg=dict(nms_pre=100, min_bbox_size=0, score_thr=0.05, max_per_img=20,
                      nms=dict(type='nms', iou_threshold=0.6)) | test_cfg,
    )  # fmt: skip


@pytest.fixture(scope='module', params=KINDS)
def model(request) -> nn.Module:
    register_all_modules()
    torch.manual_seed(0)
    model = MODELS.build(config(request.param)).eval()
    spread(model)
    model.dataset_meta = dict(classes=CLASSES)
    return model


@pytest.fixture
def pictures(image) -> list[torch.Tensor]:
    sizes = [(128, 160), (97, 61), (150, 200)]
    shaped = (np.resize(image, (*size, 3)).transpose(2, 0, 1)[None] for size in sizes)
    return [torch.from_numpy(np.ascontiguousarray(one)) for one in shaped]


def assert_same(found, expected) -> None:
    """Of boxes with scores equal to rounding either may come first."""
    boxes, scores, labels = (np.asarray(part[0]) for part in found)
    kept = labels >= 0
    expected = expected.bboxes.numpy(), expected.scores.numpy(), expected.labels.numpy()
    assert len(expected[0]) > 3 and kept.sum() == len(expected[0])
    sure = expected[1] > expected[1].min() + SCORE
    reference = {0: tuple(part[sure] for part in expected)}
    compared = agreement({0: (boxes[kept], scores[kept], labels[kept])}, reference)
    assert compared.same == compared.detections


@torch.no_grad()
def test_graph_finds_what_mmdet_finds(model, pictures):
    graph = build_graph(deepcopy(model), 'detections')
    for images in pictures:
        assert_same(graph(images), detect(model, images)[0])


@torch.no_grad()
def test_cut_detector_finds_what_mmdet_finds(model, pictures):
    info = model_info(model, CFG, 'detections', 'fp32')
    parts = split(switch_to_deploy(deepcopy(model)), info)

    def trunk(values: np.ndarray) -> list[np.ndarray]:
        return [value.numpy() for value in parts.trunk(torch.from_numpy(values))]

    places = [id(part) for _, part in parts.trunk.named_modules(remove_duplicate=False)]
    assert len(set(places)) == len(places)  # a runtime folds each BN into the conv before it
    detector = SplitDetector(trunk, None, parts.spec, info)
    for images in pictures:
        assert_same(detector(images.numpy()), detect(model, images)[0])


def test_file_of_a_retinanet_is_opened(image, tmp_path):
    register_all_modules()
    torch.manual_seed(0)
    model = MODELS.build(config('RetinaHead')).eval()
    spread(model)
    model.dataset_meta = dict(classes=CLASSES)
    picture = np.resize(image, (128, 160, 3))
    expected = detect(model, torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()))[0]
    (tmp_path / 'a.onnx').write_bytes(to_onnx(model, CFG).SerializeToString())
    assert_same([part[None] for part in Detector(tmp_path / 'a.onnx')(picture)], expected)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(nms_pre=-1), r'test_cfg\.nms_pre: .* a positive number'),
        (dict(min_bbox_size=4), r'test_cfg\.min_bbox_size: .* at most 0'),
        (dict(nms=dict(type='soft_nms', iou_threshold=0.5)), r'test_cfg\.nms: the export knows'),
    ],
)
def test_setting_that_the_graph_cannot_have_is_named(change, message):
    register_all_modules()
    with pytest.raises(ValueError, match=message):
        build_graph(MODELS.build(config('GFLHead', **change)).eval(), 'detections')


def test_other_head_is_refused_with_those_that_are_known():
    register_all_modules()
    cfg = config('GFLHead')
    cfg.type, cfg.neck.num_outs = 'FCOS', 5
    cfg.bbox_head = ConfigDict(type='FCOSHead', num_classes=3, in_channels=16, feat_channels=32)
    with pytest.raises(ValueError, match='bbox_head: the export knows .*RetinaHead.* FCOSHead'):
        build_graph(MODELS.build(cfg).eval(), 'detections')

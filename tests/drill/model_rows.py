"""Rows 5, 12, 13, 15 and 16: inference, losses, RoI ops and evaluation."""

from __future__ import annotations

import json
import math

import numpy as np
import torch
from mmcv.ops import roi_align as mmcv_roi_align
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from shufflenet_det.deploy.detector_graph import PlainRoIAlign
from shufflenet_det.deploy.onnx_runtime import InferenceSession
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.detectors.ps_roi import PSRoIAlign, ps_roi_align
from shufflenet_det.training.metric import SafeCocoMetric

from .case import Lab, case, confirm, refused
from .tiny import tiny_config

NAN, INF = math.nan, math.inf


def tiny_detector(lab: Lab) -> nn.Module:
    cfg = tiny_config(lab.data, lab.folder)
    model = MODELS.build(cfg.model).eval()
    model.cfg = cfg
    return model


@case(5, '1x1 and 5000x1 images in inference')
def thin_images(lab: Lab) -> str:
    model, texts = tiny_detector(lab), []
    config, checkpoint = lab.folder / 'config.py', lab.folder / 'net.pth'
    model.cfg.dump(config)
    torch.save(model.state_dict(), checkpoint)
    predictor = MMDetPredictor(str(config), str(checkpoint), 'cpu')
    for height, width in ((1, 1), (1, 5000), (5000, 1)):
        boxes, *_ = predictor(np.zeros((height, width, 3), np.uint8))
        inside = (boxes >= 0) & (boxes <= (width, height, width, height))
        confirm(inside.all(), f'{width}x{height}: boxes outside or not finite')
        texts.append(f'{width}x{height}: {len(boxes)} boxes')
    return ', '.join(texts)


@case(12, 'batch without ground truth')
def no_objects(lab: Lab) -> str:
    model = tiny_detector(lab).train()
    shape = (64, 64)
    sample = DetDataSample(
        metainfo=dict(img_shape=shape, ori_shape=shape, pad_shape=shape, scale_factor=(1, 1))
    )
    sample.gt_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
    sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
    losses = model.loss(torch.rand(2, 3, *shape), [sample, sample.clone()])
    sums = {key: float(sum(value) if isinstance(value, list) else value)
            for key, value in losses.items() if 'loss' in key}  # fmt: skip
    for key, value in sums.items():
        right = value == 0 if 'bbox' in key else value > 0
        confirm(right, f'{key} is {value}')
    return str(sums)


ROIS = {
    'NaN': [0, NAN, 0, 5, 5],
    'inf': [0, 0, 0, INF, 5],
    '3e38': [0, -3e38, 0, 3e38, 5],
    'zero area': [0, 5, 5, 5, 5],
    'reversed': [0, 9, 9, 2, 2],
    'outside': [0, 900, 900, 990, 990],
}


@case(13, 'RoIs: none, NaN, inf, 3e38, zero area, reversed, outside')
def bad_rois(lab: Lab) -> str:
    maps, plain = torch.rand(2, 4 * 49, 16, 16), torch.rand(2, 4, 16, 16)
    rows = {'none': torch.zeros(0, 5), **{k: torch.tensor([v]) for k, v in ROIS.items()}}
    for name, rois in rows.items():
        for pooled in (ps_roi_align(maps, rois), mmcv_roi_align(plain, rois, 7, 1.0, 0)):
            confirm(pooled.isfinite().all() and len(pooled) == len(rois), name)
    return f'finite for {", ".join(rows)} in ps_roi_align and mmcv.ops.roi_align'


@case(13, 'RoIs: the same in the deployed graph')
def bad_rois_in_onnx(lab: Lab) -> str:
    maps, path = torch.rand(2, 4 * 49, 16, 16), lab.folder / 'rois.onnx'
    layer = PlainRoIAlign(PSRoIAlign(output_size=7, spatial_scale=1.0, sampling_ratio=2))
    count = {0: torch.export.Dim('rois')}
    torch.onnx.export(
        layer, (maps, torch.rand(3, 5)), path, dynamo=True, verbose=False,
        input_names=['maps', 'rois'], dynamic_shapes=(None, count),
    )  # fmt: skip
    session = InferenceSession(str(path), providers=['CPUExecutionProvider'])
    for name, values in ROIS.items():
        rois = torch.tensor([values] * 2, dtype=torch.float32)
        (pooled,) = session.run(None, dict(maps=maps.numpy(), rois=rois.numpy()))
        right = ps_roi_align(maps, rois).numpy()
        confirm(np.allclose(pooled, right, atol=1e-4), f'{name}: {np.abs(pooled - right).max()}')
    return f'ONNX Runtime gives what PyTorch does for {", ".join(ROIS)}'


@case(13, 'RoI with a bad batch index, bad channel count')
def bad_index(lab: Lab) -> str:
    roi: Tensor = torch.tensor([[7.0, 0, 0, 5, 5]])
    message = refused(lambda: ps_roi_align(torch.rand(1, 49, 8, 8), roi), '7', kind=ValueError)
    refused(
        lambda: mmcv_roi_align(torch.rand(1, 4, 8, 8), roi, 7, 1.0, 2),
        kind=(ValueError, IndexError),
    )
    refused(lambda: ps_roi_align(torch.rand(8, 50, 8, 8), roi), '50', kind=ValueError)
    return message


def evaluate(
    lab: Lab, boxes: list, scores: list | None = None, label: int = 0, image_id: int | None = None
) -> dict:
    """Score the same predictions for every image of the validation set."""
    path = lab.data / 'annotations/instances_val.json'
    images = json.loads(path.read_text())['images']
    metric = SafeCocoMetric(ann_file=str(path))
    metric.dataset_meta = dict(classes=tiny_config(lab.data, lab.folder).num_classes * ('disk',))
    found = dict(
        bboxes=torch.tensor(boxes).reshape(-1, 4),
        scores=torch.tensor(scores or [0.9] * len(boxes)),
        labels=torch.full((len(boxes),), label),
    )
    for image in images:
        chosen = image['id'] if image_id is None else image_id
        size = image['height'], image['width']
        metric.process({}, [dict(img_id=chosen, ori_shape=size, pred_instances=found)])
    return metric.evaluate(len(images))


PREDICTIONS = [
    (15, 'NaN box', dict(boxes=[[NAN, 0, 9, 9.0]]), ('image 1', 'finite', 'nan')),
    (15, 'infinite box', dict(boxes=[[0, 0, INF, 9.0]]), ('image 1', 'finite')),
    (15, 'NaN score', dict(boxes=[[0, 0, 9, 9.0]], scores=[NAN]), ('image 1', 'score')),
    (15, 'box of negative size', dict(boxes=[[9, 9, 0, 0.0]]), ('image 1', 'negative')),
    (16, 'unknown image id', dict(boxes=[[0, 0, 9, 9.0]], image_id=77), ('image 77',)),
    (16, 'label out of range', dict(boxes=[[0, 0, 9, 9.0]], label=99), ('image 1', '0 to 7', '99')),
]

for _row, _name, _given, _words in PREDICTIONS:
    case(_row, f'{_name} in predictions')(
        lambda lab, given=_given, words=_words: refused(
            lambda: evaluate(lab, **given), *words, kind=ValueError
        )
    )


@case(16, 'empty predictions')
def no_predictions(lab: Lab) -> str:
    scores = evaluate(lab, [])
    confirm(scores.get('coco/bbox_mAP') == 0, f'scores are {scores}')
    return str(scores)

"""CocoMetric, as the configs use it, against cocoapi's published numbers."""

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from mmdet.registry import METRICS
from mmdet.utils import register_all_modules
from paths import ROOT

from shufflenet_det.training.launch import load_config

DATA = os.environ.get('SHUFFLENET_DET_TEST_DATA')
# cocoapi's pycocoEvalDemo.ipynb, bbox, 100 images of val2014
OFFICIAL = dict(mAP=0.505, mAP_50=0.697, mAP_75=0.573, mAP_s=0.586, mAP_m=0.519, mAP_l=0.501)


@pytest.fixture(scope='module')
def scores():
    register_all_modules()
    if DATA is None:
        pytest.skip('SHUFFLENET_DET_TEST_DATA, the folder of the real test data, is not set')
    folder = Path(DATA) / 'cocoapi_fakeresults100'
    truth_file = folder / 'instances_val2014_100.json'
    truth = json.loads(truth_file.read_text())
    results = json.loads((folder / 'instances_val2014_fakebbox100_results.json').read_text())
    evaluator = load_config(ROOT / 'configs/lighthead_snv2.py').val_evaluator
    metric = METRICS.build(dict(evaluator, ann_file=str(truth_file)))
    metric.dataset_meta = dict(classes=[category['name'] for category in truth['categories']])
    metric.process({}, data_samples(truth, results))
    return metric.evaluate(size=len(truth['images']))


def data_samples(truth, results):
    labels = {category['id']: k for k, category in enumerate(truth['categories'])}
    by_image = defaultdict(list)
    for result in results:
        by_image[result['image_id']].append(result)
    for image in truth['images']:
        found = by_image[image['id']]
        # float64: two boxes have an IoU of exactly .6 and .8, which float32 would miss
        boxes = torch.tensor([r['bbox'] for r in found], dtype=torch.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        yield dict(
            img_id=image['id'],
            ori_shape=(image['height'], image['width']),
            pred_instances=dict(
                bboxes=boxes,
                scores=torch.tensor([r['score'] for r in found]),
                labels=torch.tensor([labels[r['category_id']] for r in found], dtype=torch.long),
            ),
        )


@pytest.mark.parametrize('name', OFFICIAL)
def test_official_numbers_are_reproduced(scores, name):
    assert scores[f'coco/bbox_{name}'] == OFFICIAL[name]

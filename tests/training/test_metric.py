"""SafeCocoMetric where CocoMetric has no answer, or only half of one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from pycocotools import mask as masks

from shufflenet_det.training import SafeCocoMetric

SIZE = 40, 60
BOXES = {1: [[0, 0, 10, 10], [20, 0, 40, 20], [5, 20, 25, 30]], 2: [[30, 10, 40, 30]], 3: []}
"""Image -> boxes x1, y1, x2, y2 of its objects, in turn of class 0 and 1."""

CLASSES = ('disk', 'ring')


def rle(box: list) -> dict:
    mask = np.zeros(SIZE, np.uint8, order='F')
    mask[box[1] : box[3], box[0] : box[2]] = 1
    found = masks.encode(mask)
    return dict(found, counts=found['counts'].decode())


@pytest.fixture
def annotations(tmp_path) -> str:
    content = dict(
        images=[dict(id=i, file_name=f'{i}.png', height=SIZE[0], width=SIZE[1]) for i in BOXES],
        categories=[dict(id=k + 1, name=name) for k, name in enumerate(CLASSES)],
        annotations=[],
    )
    for image, boxes in BOXES.items():
        for k, (x1, y1, x2, y2) in enumerate(boxes):
            content['annotations'].append(dict(
                id=len(content['annotations']) + 1, image_id=image, category_id=k % 2 + 1,
                bbox=[x1, y1, x2 - x1, y2 - y1], area=(x2 - x1) * (y2 - y1), iscrowd=0,
                segmentation=rle([x1, y1, x2, y2]),
            ))  # fmt: skip
    path = tmp_path / 'truth.json'
    path.write_text(json.dumps(content))
    return str(path)


def sample(image: int, boxes: list, scores: list | None = None, **more: object) -> dict:
    scores = scores or [0.9 - 0.1 * k for k in range(len(boxes))]
    found = dict(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        scores=torch.tensor(scores), labels=torch.arange(len(boxes)) % 2,
        masks=[rle(box) for box in boxes], **more,
    )  # fmt: skip
    truth = [dict(bbox=b, bbox_label=k % 2, mask=rle(b)) for k, b in enumerate(BOXES[image])]
    return dict(img_id=image, ori_shape=SIZE, pred_instances=found, instances=truth)


def evaluate(metric: CocoMetric, samples: list) -> dict:
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, samples)
    return metric.evaluate(len(samples))


NOTHING = [sample(image, []) for image in BOXES]


@pytest.mark.parametrize('given', [True, False], ids=['file', 'ground truth of the samples'])
@pytest.mark.parametrize('classwise', [True, False])
def test_no_prediction_is_zero_in_every_metric(annotations, given, classwise):
    kinds = ['bbox', 'segm', 'proposal', 'proposal_fast']
    metric = SafeCocoMetric(
        annotations if given else None,
        metric=kinds,
        classwise=classwise,
        proposal_nums=[1, 10, 100],
    )
    scores = evaluate(metric, NOTHING)
    assert scores['coco/bbox_mAP'] == scores['coco/segm_mAP'] == 0
    assert scores['coco/AR@300'] == scores['coco/AR@1'] == 0
    assert ('coco/ring_precision' in scores) == classwise


def test_images_without_any_object_say_minus_one():
    metric = SafeCocoMetric(metric=['bbox', 'proposal_fast'])
    scores = evaluate(metric, [sample(3, [])])
    assert scores['coco/bbox_mAP'] == -1 and scores['coco/AR@100'] == -1


def test_no_box_is_made_up_in_the_result_files(annotations, tmp_path):
    evaluate(SafeCocoMetric(annotations, outfile_prefix=str(tmp_path / 'out')), NOTHING)
    assert json.loads((tmp_path / 'out.bbox.json').read_text()) == []


def test_mask_scores_only_rank(annotations):
    scaled = [
        sample(image, boxes, mask_scores=torch.tensor([5.0 - k for k in range(len(boxes))]))
        for image, boxes in BOXES.items()
    ]
    scores = evaluate(SafeCocoMetric(annotations, metric=['bbox', 'segm']), scaled)
    assert scores['coco/segm_mAP'] == scores['coco/bbox_mAP'] == 1


def test_mask_score_that_is_no_number_is_refused(annotations):
    bad = sample(2, BOXES[2], mask_scores=torch.tensor([float('nan')]))
    with pytest.raises(ValueError, match='image 2: .*score is not finite'):
        evaluate(SafeCocoMetric(annotations, metric=['bbox', 'segm']), [bad])


def test_fast_recall_takes_other_numbers_of_boxes_in_any_order(annotations):
    """Of four objects the best box of each image finds one in image 1 and one in image 2."""
    found = [
        sample(2, [[0, 0, 5, 5], [30, 10, 40, 30]], [0.1, 0.9]),
        sample(3, []),
        sample(1, BOXES[1]),
    ]
    metric = SafeCocoMetric(annotations, metric='proposal_fast', proposal_nums=[1, 2, 100])
    scores = evaluate(metric, found)
    assert [scores[f'coco/AR@{n}'] for n in (1, 2, 100)] == pytest.approx([0.5, 0.75, 1])


WRONG = {
    'two counts': (dict(proposal_nums=(1, 100)), 'three numbers are needed'),
    'a count': (dict(proposal_nums=[100], metric='proposal'), 'three numbers are needed'),
    'another item': (dict(metric_items=['mAP', 'AP']), "metric_items=.'AP'. are not known"),
    'each class at one overlap': (dict(iou_thrs=[0.5], classwise=True), 'at least 6 iou_thrs'),
}


@pytest.mark.parametrize('name', WRONG)
def test_setting_that_ends_an_evaluation_is_named_before_it(annotations, name):
    settings, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        SafeCocoMetric(ann_file=annotations, **settings)


@pytest.mark.parametrize('mask', [None, [], [[1, 2, 3, 4]], dict(size=[9, 9], counts='x')])
def test_object_without_a_mask_is_named_before_masks_are_scored(annotations, tmp_path, mask):
    content = json.loads(Path(annotations).read_text())
    content['annotations'][1]['segmentation'] = mask
    path = tmp_path / 'without.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'1 of 4 annotations have no mask, such as \[2\]'):
        SafeCocoMetric(ann_file=str(path), metric=['bbox', 'segm'])
    assert SafeCocoMetric(ann_file=str(path)).metrics == ['bbox']


@pytest.mark.parametrize('thresholds', [0.5, [0.5], (0.5, 0.75)])
def test_overlaps_may_be_a_number_or_a_list(annotations, thresholds):
    metric = SafeCocoMetric(ann_file=annotations, iou_thrs=thresholds)
    scores = evaluate(metric, [sample(image, BOXES[image]) for image in BOXES])
    assert scores['coco/bbox_mAP'] == scores['coco/bbox_mAP_50'] == 1


@pytest.fixture
def said(monkeypatch):
    lines = []
    for module in ('metric', 'metric_settings'):
        monkeypatch.setattr(
            f'shufflenet_det.training.{module}.print_log', lambda text, **kwargs: lines.append(text)
        )
    return lines


def test_counts_that_give_no_score_are_told(annotations, said):
    SafeCocoMetric(ann_file=annotations, proposal_nums=(1, 10, 300))
    assert any('mAP is taken at 100 detections of an image' in line for line in said)


def test_images_that_are_not_predicted_are_told(annotations, said):
    scores = evaluate(SafeCocoMetric(ann_file=annotations), [sample(1, BOXES[1])])
    assert scores['coco/bbox_mAP'] < 1
    assert any('2 of the 3 images of the evaluator were not predicted' in line for line in said)

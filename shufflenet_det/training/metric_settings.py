"""Settings of a COCO metric that end in an error, or in -1, after the first evaluation only."""

from __future__ import annotations

import logging

from mmdet.evaluation import CocoMetric
from mmengine.logging import print_log

from shufflenet_det.data.segmentations import is_mask

COUNTS = 3
"""Of proposal_nums, which pycocotools sums up."""

DETECTIONS = 100
"""At which pycocotools takes mAP, whatever proposal_nums are."""

CLASSWISE = 6
"""IoU thresholds of which mmdet shows the first and the sixth for each class."""

ITEMS = (
    'mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l', 'AR@100', 'AR@300', 'AR@1000',
    'AR_s@1000', 'AR_m@1000', 'AR_l@1000',
)  # fmt: skip


def check_metric(metric: CocoMetric) -> None:
    """Look at settings and ground truth of a metric before anything is evaluated.

    Raises:
        ValueError: Naming the setting and what is allowed, or annotations without a mask.
    """
    scored = {'bbox', 'segm'} & set(metric.metrics)
    numbers = list(metric.proposal_nums)
    if (scored or 'proposal' in metric.metrics) and len(numbers) < COUNTS:
        raise ValueError(f'proposal_nums={numbers}: three numbers are needed, such as 1, 10, 100')
    if scored and DETECTIONS not in numbers:
        print_log(
            f'proposal_nums={numbers}: mAP is taken at {DETECTIONS} detections of an image, which '
            'is none of them, and will be -1', logger='current', level=logging.WARNING,
        )  # fmt: skip
    unknown = [item for item in metric.metric_items or () if item not in ITEMS]
    if unknown:
        raise ValueError(f'metric_items={unknown} are not known; there are {list(ITEMS)}')
    if scored and metric.classwise and len(metric.iou_thrs) < CLASSWISE:
        raise ValueError(
            f'classwise=True needs at least {CLASSWISE} iou_thrs, not {list(metric.iou_thrs)}'
        )
    if 'segm' in scored and metric._coco_api is not None:
        _check_masks(metric)


def _check_masks(metric: CocoMetric) -> None:
    truth = metric._coco_api.anns.values()
    without = [each['id'] for each in truth if not is_mask(each.get('segmentation'))]
    if without:
        raise ValueError(
            f"metric='segm': {len(without)} of {len(truth)} annotations have no mask, such as "
            f'{without[:5]}; their segmentation must be polygons [[x, y, ...]] or RLE'
        )

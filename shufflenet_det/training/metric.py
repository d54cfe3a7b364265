"""COCO evaluation that refuses predictions which would be scored wrongly."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from mmdet.evaluation import CocoMetric
from mmengine.fileio import get_local_path
from mmengine.logging import print_log
from mmengine.registry import METRICS

from shufflenet_det.data.coco import check_predictions
from shufflenet_det.data.coco_dataset import CheckedCoco
from shufflenet_det.data.reader import annotations_of


@METRICS.register_module()
class SafeCocoMetric(CocoMetric):
    """`CocoMetric` that rejects undefined predictions and scores none at all as AP 0.

    Takes the arguments of `CocoMetric`. Its annotations are read as the data sets read them, labels
    follow class names, and ids start at 1: pycocotools takes id 0 for no match.
    """

    def __init__(self, ann_file: str | None = None, *args, **kwargs) -> None:
        super().__init__(None, *args, **kwargs)
        if ann_file is not None:
            with get_local_path(ann_file, backend_args=self.backend_args) as path:
                self._coco_api = CheckedCoco(path)

    def read_anew(self) -> None:
        """Replace annotations that plain `CocoMetric` read by what this package makes of them."""
        if self._coco_api is not None and not isinstance(self._coco_api, CheckedCoco):
            plain, self._coco_api = self._coco_api.dataset, CheckedCoco()
            self._coco_api.take(annotations_of(plain, root=''), 'val_evaluator.ann_file')

    def process(self, data_batch: dict, data_samples: Sequence[Mapping]) -> None:
        before = len(self.results)
        super().process(data_batch, data_samples)
        known = self._coco_api and self._coco_api.imgs
        for _, result in self.results[before:]:
            if known and result['img_id'] not in known:
                raise ValueError(
                    f'image {result["img_id"]} was predicted, but is not among the {len(known)} '
                    'images of the evaluator; val_evaluator.ann_file must be the ann_file of '
                    'val_dataloader.dataset'
                )
            check_predictions(
                result['img_id'], result['bboxes'], result['scores'], result['labels'],
                len(self.dataset_meta['classes']),
            )  # fmt: skip

    def compute_metrics(self, results: list) -> dict[str, float]:
        if results and not any(len(prediction['labels']) for _, prediction in results):
            print_log('no image has a prediction: AP is 0', logger='current', level=logging.WARNING)
            # An empty box of score 0 overlaps nothing; without any, pycocotools gives up.
            truth, first = results[0]
            empty = dict(
                first,
                bboxes=np.zeros((1, 4), np.float32),
                scores=np.zeros(1, np.float32),
                labels=np.zeros(1, np.int64),
            )
            results = [(truth, empty), *results[1:]]
        scores = super().compute_metrics(results)
        if not self._coco_api.get_ann_ids(cat_ids=self.cat_ids):
            print_log(
                f'none of the {len(self.img_ids)} images has an object of '
                f'{list(self.dataset_meta["classes"])[:80]}: a score of -1 says nothing',
                logger='current', level=logging.WARNING,
            )  # fmt: skip
        return scores

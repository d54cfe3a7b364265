"""COCO evaluation that refuses predictions which would be scored wrongly."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mmdet.datasets.api_wrappers import COCO
from mmdet.evaluation import CocoMetric, eval_recalls
from mmengine.fileio import get_local_path
from mmengine.logging import print_log

from shufflenet_det.data.coco import check_predictions
from shufflenet_det.data.coco_dataset import CheckedCoco
from shufflenet_det.data.reader import annotations_of
from shufflenet_det.integration.registration import register

from .metric_settings import check_metric


@register('METRICS')
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
        self.check_settings()

    def check_settings(self) -> None:
        """Refuse what would end with an error after the first evaluation only.

        Raises:
            ValueError: Naming the setting, or the annotations without a mask.
        """
        self.iou_thrs = np.array(self.iou_thrs, float, ndmin=1)  # pycocotools compares it
        check_metric(self)

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
            for scores in ('scores', 'mask_scores'):
                if scores in result:
                    check_predictions(
                        result['img_id'], result['bboxes'], result[scores], result['labels'],
                        len(self.dataset_meta['classes']),
                    )  # fmt: skip

    def compute_metrics(self, results: list) -> dict[str, float]:
        if results and not any(len(prediction['labels']) for _, prediction in results):
            print_log('no image has a prediction: AP is 0', logger='current', level=logging.WARNING)
        if self._coco_api is None:
            self._coco_api = self._coco_of([truth for truth, _ in results])
        coco = self._coco_api
        _tell_left_out({prediction['img_id'] for _, prediction in results}, coco.imgs)
        coco.loadRes = partial(_load_results, coco)
        try:
            scores = super().compute_metrics(results)
        finally:
            del coco.loadRes
        single = (each for each in coco.anns.values() if not each.get('iscrowd'))
        if not any(each['category_id'] in self.cat_ids for each in single):
            print_log(
                f'none of the {len(self.img_ids)} images has an object of '
                f'{list(self.dataset_meta["classes"])[:80]}: a score of -1 says nothing',
                logger='current', level=logging.WARNING,
            )  # fmt: skip
        return scores

    def _coco_of(self, truths: Sequence[dict]) -> COCO:
        """The annotations that came with the predictions, where there is no file of them."""
        with TemporaryDirectory() as folder:
            prefix = self.outfile_prefix or str(Path(folder, 'results'))
            return COCO(self.gt_to_coco_json(truths, prefix))

    def fast_eval_recall(
        self,
        results: Sequence[Mapping],
        proposal_nums: Sequence[int],
        iou_thrs: Sequence[float],
        logger: object = None,
    ) -> np.ndarray:
        """Mean recall (len(proposal_nums),) of the best proposals of each image; -1 of no object.

        mmdet's own needs as many boxes in every image, in the order of the file and of scores.
        """
        found = {result['img_id']: result for result in results}
        recalled, objects = np.zeros(len(proposal_nums)), 0
        for image_id in self.img_ids:
            annotations = self._coco_api.imgToAnns.get(image_id, ())
            boxes = [a['bbox'] for a in annotations if not (a.get('ignore') or a.get('iscrowd'))]
            if not boxes:
                continue
            objects += len(boxes)
            if image_id in found:
                truth = np.array(boxes, np.float32)
                truth[:, 2:] += truth[:, :2]
                best = np.column_stack([found[image_id][key] for key in ('bboxes', 'scores')])
                recalls = eval_recalls([truth], [best], proposal_nums, iou_thrs, logger='silent')
                recalled += len(boxes) * recalls.mean(1)
        return recalled / objects if objects else np.full(len(proposal_nums), -1.0)


def _tell_left_out(predicted: set, images: Mapping) -> None:
    left = len(images.keys() - predicted)
    if left:
        print_log(
            f'{left} of the {len(images)} images of the evaluator were not predicted, and their '
            'objects count as missed; give val_evaluator.ann_file of the images that are evaluated',
            logger='current', level=logging.WARNING,
        )  # fmt: skip


def _load_results(coco: COCO, results: list[dict]) -> COCO:
    """What `COCO.loadRes` gives, also of no result, which pycocotools refuses."""
    if results:
        return type(coco).loadRes(coco, results)
    empty = COCO()
    empty.dataset = dict(coco.dataset, annotations=[])
    empty.createIndex()
    return empty

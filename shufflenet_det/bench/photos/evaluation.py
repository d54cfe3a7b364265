"""What a trained detector reaches: AP, recall of its proposals, time, parameters, macs."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torchvision.ops import box_iou

import shufflenet_det  # noqa: F401  (registers the modules and backs mmcv's ops)
from shufflenet_det.bench.detector_complexity import detector_complexity, detector_on_meta

METRICS = dict(AP='', AP50='_50', AP75='_75', APs='_s', APm='_m', APl='_l')
"""Our name of a figure -> what CocoMetric appends to ``bbox_mAP``."""

PROPOSALS, RECALL_IOU = (100, 300), 0.5
TIMED_IMAGES = 30


def evaluate(config: str | Path, checkpoint: str | Path, splits: Sequence[str]) -> dict:
    """Figures of a checkpoint on splits, computed with one thread.

    Args:
        config: As left by the training in its folder.
        checkpoint: Weights.
        splits: Out of ``val`` and ``test``.

    Returns:
        Per split the :data:`METRICS` (-1 where no object is of that size) and, of two-stage
        detectors, ``recall``: the share of objects that a number of proposals covers at IoU .5.
        Besides ``cpu_ms``, the median CPU time from a resized picture to its boxes, ``parameters``
        and ``macs``, None where an op's cost is not known.
    """
    torch.set_num_threads(1)
    cfg = Config.fromfile(str(config))
    MMLogger.get_instance('photos', log_level='ERROR')
    logging.disable(logging.WARNING)
    cfg.update(load_from=str(checkpoint), resume=False, work_dir=str(Path(config).parent / 'test'))
    cfg.visualizer.vis_backends = []
    found = {}
    for split in splits:
        runner = Runner.from_cfg(on_split(cfg, split))
        metrics = runner.test()
        found[split] = {name: metrics[f'coco/bbox_mAP{ending}'] for name, ending in METRICS.items()}
        recall = proposal_recall(runner)
        if recall:
            found[split]['recall'] = recall
    detector = runner.model.eval().cpu()
    found['cpu_ms'] = cpu_ms(detector, runner.test_dataloader.dataset)
    found['parameters'] = sum(p.numel() for p in detector.parameters())
    found['macs'] = _macs(config, (cfg.size, cfg.size))
    return found


def on_split(cfg: Config, split: str) -> Config:
    """A copy of a config whose test reads ``val`` or ``test``."""
    of_split = copy.deepcopy(cfg)
    of_split.test_dataloader = of_split[f'{split}_dataloader']
    of_split.test_evaluator = of_split[f'{split}_evaluator']
    return of_split


@torch.no_grad()
def proposal_recall(runner: Runner) -> dict[str, float]:
    """Share of the objects that the first proposals cover, by their number; {} without an RPN."""
    detector = runner.model.eval()
    if not getattr(detector, 'with_rpn', False):  # one-stage detectors have no such property
        return {}
    covered = {number: [] for number in PROPOSALS}
    for batch in runner.test_dataloader:
        data = detector.data_preprocessor(batch, False)
        samples = data['data_samples']
        proposals = detector.rpn_head.predict(
            detector.extract_feat(data['inputs']), samples, rescale=True
        )
        for sample, found in zip(samples, proposals, strict=True):
            ious = box_iou(_tensor(sample.gt_instances.bboxes), _tensor(found.bboxes))
            for number, flags in covered.items():
                flags += [bool((row[:number] >= RECALL_IOU).any()) for row in ious]
    return {str(number): float(np.mean(flags)) for number, flags in covered.items()}


def _tensor(boxes: object) -> torch.Tensor:
    return getattr(boxes, 'tensor', boxes)


@torch.no_grad()
def cpu_ms(detector: torch.nn.Module, dataset: Sequence) -> float:
    """Median CPU milliseconds of ``test_step`` with one picture; work beside it makes them more."""
    times = []
    for index in range(min(TIMED_IMAGES + 1, len(dataset))):
        batch = pseudo_collate([dataset[index]])
        start = time.process_time()
        detector.test_step(batch)
        times.append(time.process_time() - start)
    return 1000 * float(np.median(times[1:]))


def _macs(config: str | Path, size: tuple[int, int]) -> int | None:
    try:
        return detector_complexity(detector_on_meta(config), size).total.macs
    except ValueError:  # an op or a part whose cost is not known
        return None

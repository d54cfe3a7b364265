"""Detectors of configs/swap on real images: does the loss fall, what learns, do they predict?"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmdet.models import BaseDetector
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from shufflenet_det.bench.tables import Table
from shufflenet_det.integration.config_scope import config_root

ANNOTATIONS, IMAGES = 'instances_train2017.json', 'train2017/'
SIZE = (128, 160)
"""Height and width that every image is resized to."""

BATCH, BATCHES, ROUNDS = 2, 5, 4
"""Each of the batches comes once a round, so that the first and the last round compare."""

WARM_UP = {'RTMDet': 15}
"""Rounds before the losses are compared. RTMDet weighs each box by its quality, so that its loss
grows from nearly zero while the first boxes form."""

LEARNING_RATE, CLIP = 1e-3, 10.0

QUERIES, SAMPLES = 50, 64
"""Queries of a two-stage transformer, as a small image has not the 900 positions of DINO's, and
RoIs per image that the heads of an R-CNN learn from, at most."""


@dataclass(frozen=True)
class SwapRow:
    """One detector, trained from scratch.

    Args:
        config: Name of the config file.
        detector: Class of the detector.
        backbone: Arch and variants.
        losses: Of each iteration, with those before the compared ones.
        before: Iterations before the compared ones.
        parameters: Number of them, all trainable.
        with_gradient: Of which received a gradient that is not zero in some iteration.
        without_gradient: Names of the tensors that did not.
        boxes: Predicted on the training images after the last iteration, at any score.
        images: That boxes were predicted on.
    """

    config: str
    detector: str
    backbone: str
    losses: tuple[float, ...]
    before: int
    parameters: int
    with_gradient: int
    without_gradient: tuple[str, ...]
    boxes: int
    images: int


def swap_configs() -> list[Path]:
    """The files of configs/swap."""
    return sorted((config_root('shufflenet_det') / 'swap').glob('*.py'))


def scratch_detector(model: Mapping) -> BaseDetector:
    """A detector with nothing loaded or frozen, made fit for small images and few of them.

    Predictions of any score count.
    """
    model = copy.deepcopy(ConfigDict(model))
    model.backbone.update(init_cfg=None, frozen_stages=-1, norm_eval=False)
    model.backbone.get('norm_cfg', {}).pop('requires_grad', None)
    model.data_preprocessor.batch_augments = None  # random sizes
    if model.get('as_two_stage'):
        model.num_queries = min(model.num_queries, QUERIES)
    stages = model.get('train_cfg', {}).get('rcnn', [])
    for stage in stages if isinstance(stages, list) else [stages]:
        stage.sampler.num = min(stage.sampler.num, SAMPLES)
    for settings in (model.test_cfg, model.test_cfg.get('rcnn')):
        if settings and 'score_thr' in settings:
            settings.score_thr = 0.0
    detector = revert_sync_batchnorm(MODELS.build(model))
    detector.init_weights()
    return detector


def learn(
    detector: BaseDetector, batches: Iterable[dict], lr: float = LEARNING_RATE
) -> tuple[list[float], set[str]]:
    """Train on batches, one iteration each.

    Returns:
        The loss of each iteration, and the names of the parameters whose gradient was not zero
        in some iteration.
    """
    optimizer = torch.optim.AdamW(detector.parameters(), lr=lr)
    wrapper = OptimWrapper(optimizer, clip_grad=dict(max_norm=CLIP))
    losses, reached = [], set()
    detector.train()
    for batch in batches:
        data = detector.data_preprocessor(copy.deepcopy(batch), training=True)
        loss, _ = detector.parse_losses(detector(**data, mode='loss'))
        wrapper.backward(loss)
        reached |= {
            name for name, parameter in detector.named_parameters()
            if parameter.grad is not None and parameter.grad.any()
        }  # fmt: skip
        wrapper.step()
        wrapper.zero_grad()
        losses.append(loss.item())
    return losses, reached


@torch.no_grad()
def count_boxes(detector: BaseDetector, batches: Iterable[dict]) -> int:
    """Boxes that a detector predicts."""
    detector.eval()
    found = [sample for batch in batches for sample in detector.val_step(copy.deepcopy(batch))]
    return sum(len(sample.pred_instances) for sample in found)


def load_batches(root: Path, with_mask: bool) -> list[dict]:
    """The first images with annotations of a COCO-format set, resized, in batches."""
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=with_mask),
        dict(type='Resize', scale=SIZE[::-1], keep_ratio=False),
        dict(type='PackDetInputs'),
    ]
    dataset = dict(
        type='CocoDataset', data_root=str(root), ann_file=ANNOTATIONS,
        data_prefix=dict(img=IMAGES), filter_cfg=dict(filter_empty_gt=True),
        indices=BATCH * BATCHES, pipeline=pipeline,
    )  # fmt: skip
    sampler = dict(type='DefaultSampler', shuffle=False)
    loader = dict(batch_size=BATCH, num_workers=0, sampler=sampler, dataset=dataset)
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools
        return list(Runner.build_dataloader(loader))


def try_out(path: Path, root: Path) -> SwapRow:
    """Train one detector of configs/swap, and predict."""
    torch.manual_seed(0)
    model = Config.fromfile(path).model
    detector = scratch_detector(model)
    batches = load_batches(root, detector.with_mask)
    before = WARM_UP.get(model.type, 0)
    losses, reached = learn(detector, batches * (before + ROUNDS))
    parameters = {name: p.numel() for name, p in detector.named_parameters()}
    missed = tuple(name for name in parameters if name not in reached)
    return SwapRow(
        path.stem, model.type, backbone_name(model.backbone), tuple(losses),
        before * BATCHES, sum(parameters.values()), sum(parameters[name] for name in reached),
        missed, count_boxes(detector, batches), BATCH * BATCHES,
    )  # fmt: skip


def backbone_name(backbone: Mapping) -> str:
    """Arch and the variants that are on, e.g. ``1.0x se``."""
    variants = [name for name in ('se', 'residual', 'large_receptive_field') if backbone.get(name)]
    return ' '.join([backbone['arch'], *variants]).replace('large_receptive_field', 'v2*')


def pick(names: Sequence[str] | None) -> list[Path]:
    """Configs by name, or all.

    Raises:
        ValueError: If a name is not there.
    """
    paths = {path.stem: path for path in swap_configs()}
    unknown = sorted(set(names or ()) - set(paths))
    if unknown:
        raise ValueError(f'no such config of configs/swap: {unknown}; allowed: {list(paths)}')
    return [paths[name] for name in names or paths]


def first_and_last(row: Mapping) -> tuple[float, float]:
    """Mean losses of the first and of the last compared round, over the same batches."""
    losses = row['losses'][row['before'] :]
    return sum(losses[:BATCHES]) / BATCHES, sum(losses[-BATCHES:]) / BATCHES


def table(result: Mapping) -> Table:
    """One row per detector."""
    rows = []
    for row in result['rows']:
        rows.append((
            row['config'], row['detector'], row['backbone'], row['before'], *first_and_last(row),
            row['parameters'], row['with_gradient'],
            _modules(row['without_gradient']) or 'none', row['boxes'], row['images'],
        ))  # fmt: skip
    return Table(
        'swaps', 'Detectors of configs/swap from scratch on real images: mean loss of the first '
        f'and of the last {BATCHES} of {BATCHES * ROUNDS} iterations, over the same images.',
        ('config', 'detector', 'backbone', 'iterations before', 'first loss', 'last loss',
         'parameters', 'with gradient', 'without', 'boxes', 'images'), tuple(rows),
    )  # fmt: skip


def _modules(names: Sequence[str]) -> str:
    """Modules that tensors belong to, three names deep."""
    return ', '.join(dict.fromkeys('.'.join(name.split('.')[:3]) for name in names))

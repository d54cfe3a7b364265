"""What is trained: rows of the search for a recipe, of learning rates, and of the comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .training import Run

OURS = 'lighthead_fpn_1.0x_320'
PEERS = (
    'gfl_1.0x_320', 'retinanet_1.0x_320', 'rtmdet_1.0x_320', 'nanodet_plus_1.0x_320',
    'yolox_1.0x_320', 'ssdlite_1.0x_320', 'faster_rcnn_1.0x_320',
)  # fmt: skip
"""Of which the first four are compared first."""

OPTIMIZER = 'optim_wrapper.optimizer'
RATE = f'{OPTIMIZER}.lr'
RATES = (0.001, 0.002, 0.004)
SEARCH_EPOCHS = 8

RPN = 'model.train_cfg.rpn.assigner'
SAMPLER = 'model.train_cfg.rcnn.sampler'
THIN_MAP, BOX_HEAD = 'model.roi_head.thin_map', 'model.roi_head.bbox_head'
PIPELINE = 'train_dataloader.dataset.pipeline'
MULTIPLIER = 'optim_wrapper.paramwise_cfg.custom_keys'
SMOOTH_L1: dict[str, object] = {
    f'{BOX_HEAD}.reg_decoded_bbox': False,
    f'{BOX_HEAD}.loss_bbox._delete_': True,
    f'{BOX_HEAD}.loss_bbox.type': 'SmoothL1Loss',
    f'{BOX_HEAD}.loss_bbox.beta': 1.0,
    f'{BOX_HEAD}.loss_bbox.loss_weight': 4.0,
}
FIRST_STEPS: dict[str, dict[str, object]] = {
    'boxes by smooth L1': {},
    'rate .008': {RATE: 0.008},
    'batch 4': {'train_dataloader.batch_size': 4},
    'rate .002': {RATE: 0.002},
    'fresh neck': {'model.neck.init_cfg': None},
    'BN as the file has it': {'custom_hooks': [], 'model.backbone.norm_eval': True},
    'backbone at the full rate, nothing frozen': {
        f'{MULTIPLIER}.backbone.lr_mult': 1.0,
        'model.backbone.frozen_stages': -1,
    },
}
"""Tried while the boxes were still learnt by smooth L1, against that."""

STEPS: dict[str, dict[str, object]] = {
    'the recipe': {},
    'proposals by GIoU': {
        'model.rpn_head.reg_decoded_bbox': True,
        'model.rpn_head.loss_bbox._delete_': True,
        'model.rpn_head.loss_bbox.type': 'GIoULoss',
        'model.rpn_head.loss_bbox.loss_weight': 2.0,
    },
    'scales from .5 to 1.5': {f'{PIPELINE}.3.ratio_range': (0.5, 1.5)},
    'half of the RoIs positive': {f'{SAMPLER}.pos_fraction': 0.5},
    '7 x 7 bins': {
        f'{THIN_MAP}.out_channels': 490,
        'model.roi_head.bbox_roi_extractor.roi_layer.output_size': 7,
        f'{BOX_HEAD}.roi_feat_size': 7,
    },
    'thin map 64 channels inside': {f'{THIN_MAP}.mid_channels': 64},
    'thin map as in the paper': {f'{THIN_MAP}.norm_cfg': None, f'{THIN_MAP}.init_cfg': None},
    'thin map without BN': {f'{THIN_MAP}.norm_cfg': None},
    "the paper's gradient factor": {f'{THIN_MAP}.gradient_factor': 3.0},
    'RPN positive from IoU .7': {f'{RPN}.pos_iou_thr': 0.7, f'{RPN}.neg_iou_thr': 0.3},
    "the paper's OHEM": {
        f'{SAMPLER}._delete_': True,
        f'{SAMPLER}.type': 'LightHeadOHEMSampler',
        f'{SAMPLER}.num': 128,
    },
    'SGD, rate .02': {
        f'{OPTIMIZER}._delete_': True,
        f'{OPTIMIZER}.type': 'SGD',
        f'{OPTIMIZER}.lr': 0.02,
        f'{OPTIMIZER}.momentum': 0.9,
        f'{OPTIMIZER}.weight_decay': 1e-4,
    },
    'backbone frozen': {'model.backbone.frozen_stages': 4},
    'anchors of three scales': {'model.rpn_head.anchor_generator.scales': [2, 2.83, 4]},
}
"""Settings that a step changes in the recipe, everything else left as it is."""


def recipe() -> Iterator[Run]:
    """The recipe with one thing changed at a time, on aquarium."""
    earlier = {step: SMOOTH_L1 | changes for step, changes in FIRST_STEPS.items()}
    for steps in (earlier, STEPS):
        first = next(iter(steps))
        for step, changes in steps.items():
            than = '' if step == first else first
            yield Run('aquarium', OURS, 0, SEARCH_EPOCHS, changes, step, than)


def rates(configs: tuple[str, ...] = (OURS, *PEERS)) -> Iterator[Run]:
    """The same small search of the learning rate for every detector, on aquarium."""
    for config in configs:
        for rate in RATES:
            yield Run('aquarium', config, 0, SEARCH_EPOCHS, {RATE: rate}, f'lr {rate:g}')


def comparison() -> Iterator[Run]:
    """One recipe, unchanged, in the order of what it tells."""
    for configs, sets in (
        ((OURS, PEERS[0]), ('bccd', 'aquarium')),
        (PEERS[1:4], ('bccd', 'aquarium')),
        (PEERS[4:], ('bccd', 'aquarium')),
        ((OURS, *PEERS), ('fruits15',)),
    ):
        yield from (Run(data, config) for data in sets for config in configs)


@dataclass(frozen=True)
class Plan:
    """Rows of a result.

    Args:
        rows: Makes them, in the order in which they are trained.
        kind: Of the result, which says how it is shown.
        splits: What each row is evaluated on: choices are made on ``val`` alone.
    """

    rows: Callable[[], Iterable[Run]]
    kind: str
    splits: tuple[str, ...]


PLANS = dict(
    recipe=Plan(recipe, 'photo steps', ('val',)),
    rates=Plan(rates, 'photo steps', ('val',)),
    comparison=Plan(comparison, 'photos', ('val', 'test')),
)

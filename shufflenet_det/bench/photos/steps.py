"""What the search for a recipe changes, one thing at a time."""

from __future__ import annotations

from dataclasses import asdict

from shufflenet_det.archs import out_channels
from shufflenet_det.bench.budget.candidates import Candidate

OPTIMIZER = 'optim_wrapper.optimizer'
RATE = f'{OPTIMIZER}.lr'

RPN = 'model.train_cfg.rpn.assigner'
SAMPLER = 'model.train_cfg.rcnn.sampler'
THIN_MAP, BOX_HEAD = 'model.roi_head.thin_map', 'model.roi_head.bbox_head'
PIPELINE = 'train_dataloader.dataset.pipeline'
MULTIPLIER = 'optim_wrapper.paramwise_cfg.custom_keys'

Steps = dict[str, dict[str, object]]

SMOOTH_L1: dict[str, object] = {
    f'{BOX_HEAD}.reg_decoded_bbox': False,
    f'{BOX_HEAD}.loss_bbox._delete_': True,
    f'{BOX_HEAD}.loss_bbox.type': 'SmoothL1Loss',
    f'{BOX_HEAD}.loss_bbox.beta': 1.0,
    f'{BOX_HEAD}.loss_bbox.loss_weight': 4.0,
}
FIRST_STEPS: Steps = {
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


def _bins(side: int, channels: int) -> dict[str, object]:
    extractor = 'model.roi_head.bbox_roi_extractor'
    return {
        f'{THIN_MAP}.out_channels': channels * side**2,
        f'{extractor}.out_channels': channels,
        f'{extractor}.roi_layer.output_size': side,
        f'{BOX_HEAD}.in_channels': channels,
        f'{BOX_HEAD}.roi_feat_size': side,
    }


INSIDE, UNITS = f'{THIN_MAP}.mid_channels', f'{BOX_HEAD}.fc_out_channels'
STEPS: Steps = {
    'the recipe': {},
    'proposals by GIoU': {
        'model.rpn_head.reg_decoded_bbox': True,
        'model.rpn_head.loss_bbox._delete_': True,
        'model.rpn_head.loss_bbox.type': 'GIoULoss',
        'model.rpn_head.loss_bbox.loss_weight': 2.0,
    },
    'scales from .5 to 1.5': {f'{PIPELINE}.3.ratio_range': (0.5, 1.5)},
    'half of the RoIs positive': {f'{SAMPLER}.pos_fraction': 0.5},
    '7 x 7 bins': _bins(7, 10),
    'anchors of three scales': {'model.rpn_head.anchor_generator.scales': [2, 2.83, 4]},
    'thin map 64 channels inside': {INSIDE: 64},
    "the paper's OHEM": {
        f'{SAMPLER}._delete_': True,
        f'{SAMPLER}.type': 'LightHeadOHEMSampler',
        f'{SAMPLER}.num': 128,
    },
    'backbone frozen': {'model.backbone.frozen_stages': 4},
    'thin map as in the paper': {f'{THIN_MAP}.norm_cfg': None, f'{THIN_MAP}.init_cfg': None},
    'thin map without BN': {f'{THIN_MAP}.norm_cfg': None},
    "the paper's gradient factor": {f'{THIN_MAP}.gradient_factor': 3.0},
    'RPN positive from IoU .7': {f'{RPN}.pos_iou_thr': 0.7, f'{RPN}.neg_iou_thr': 0.3},
    'SGD, rate .02': {
        f'{OPTIMIZER}._delete_': True,
        f'{OPTIMIZER}.type': 'SGD',
        f'{OPTIMIZER}.lr': 0.02,
        f'{OPTIMIZER}.momentum': 0.9,
        f'{OPTIMIZER}.weight_decay': 1e-4,
    },
}
"""Settings that a step changes in the recipe, everything else left as it is."""

BN_OVER_LEVELS = 'BN over all levels'
HEAD_STEPS: Steps = {
    BN_OVER_LEVELS: {UNITS: 256},
    'box losses 2 and 2': {
        UNITS: 256,
        'model.rpn_head.loss_bbox.loss_weight': 2.0,
        f'{BOX_HEAD}.loss_bbox.loss_weight': 2.0,
    },
    '128 RoIs': {UNITS: 256, f'{SAMPLER}.num': 128},
    '64 channels inside': {UNITS: 256, INSIDE: 64},
    '20 a bin': {UNITS: 256, **_bins(5, 20)},
    '64 channels inside, 20 a bin, 512 units': {UNITS: 512, INSIDE: 64, **_bins(5, 20)},
    '64 channels inside, 20 a bin, two layers of 512 units': {
        UNITS: 512, f'{BOX_HEAD}.num_shared_fcs': 2, INSIDE: 64, **_bins(5, 20),
    },
    '512 units': {UNITS: 512},
    '1024 units': {UNITS: 1024},
    '2048 units': {UNITS: 2048},
    '20 a bin, 1024 units': {UNITS: 1024, **_bins(5, 20)},
    '3 x 3 bins of 28, 1024 units': {UNITS: 1024, **_bins(3, 28)},
    '3 x 3 bins of 56, 64 channels inside, 1024 units': {
        UNITS: 1024, INSIDE: 64, **_bins(3, 56),
    },
}  # fmt: skip
"""What is behind the thin map, since its BN learns from all levels; against 256 units."""

_LOAD = [dict(type='CheckedLoadImage'), dict(type='LoadAnnotations', with_bbox=True)]
_COLOUR = dict(type='PhotoMetricDistortion')
_RESIZE = dict(
    type='RandomResize', scale=(320, 320), ratio_range=(0.75, 1.25), keep_ratio=True
)  # fmt: skip
_END = [dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]
_CROP = [
    dict(type='MinIoURandomCrop', min_ious=(0.3, 0.5, 0.7), min_crop_size=0.4),
    dict(type='Resize', scale=(320, 320), keep_ratio=True),
]
_MOSAIC = [
    dict(type='CachedMosaic', img_scale=(320, 320), max_cached_images=40),
    dict(type='RandomResize', scale=(640, 640), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(320, 320), allow_negative_crop=True),
]


def _one_of(*transforms: list[dict]) -> list[dict]:
    return [dict(type='RandomChoice', transforms=list(transforms))]


NO_AVERAGE: dict[str, object] = {'default_hooks.ema': None}
CROPS: dict[str, object] = {PIPELINE: [*_LOAD, _COLOUR, *_one_of([_RESIZE], _CROP), *_END]}

WHOLE_STEPS: Steps = {
    'the recipe': {},
    'no moving average': NO_AVERAGE,
    'mosaic': {PIPELINE: [*_LOAD, _COLOUR, *_one_of([_RESIZE], _MOSAIC), *_END]},
    'scales from .5 to 1.5': {f'{PIPELINE}.3.ratio_range': (0.5, 1.5)},
    'no colours': {PIPELINE: [*_LOAD, _RESIZE, *_END]},
    'backbone frozen': STEPS['backbone frozen'],
    '7 x 7 bins, 64 channels inside': (STEPS['7 x 7 bins'] | STEPS['thin map 64 channels inside']),
    'backbone at a third of the rate': {f'{MULTIPLIER}.backbone.lr_mult': 0.3},
    'rate .002': {RATE: 0.002},
}
"""What a small set may lack; tried over whole schedules, which short ones do not show."""

_OHEM: dict[str, object] = {
    f'{SAMPLER}._delete_': True,
    f'{SAMPLER}.type': 'LightHeadOHEMSampler',
    f'{SAMPLER}.num': 128,
}


def _normal(name: str, std: float) -> dict:
    return dict(type='Normal', std=std, override=dict(name=name))


SWITCHES: Steps = {
    'the recipe': {},
    'C5 at stride 32': {'model.backbone.output_stride': 32},
    'hardest RoIs': _OHEM,
    'hardest RoIs, losses as trained': _OHEM | {f'{SAMPLER}.weighted': True},
    'gradient factor 3': {f'{THIN_MAP}.gradient_factor': 3.0},
    'BN without trained scale and shift': {'model.backbone.norm_cfg.requires_grad': False},
    'best anchors from IoU .3 on': {f'{RPN}.min_pos_iou': 0.3},
    'largest of the samples of a bin': {'model.roi_head.bbox_roi_extractor.roi_layer.mode': 'max'},
    'a box for each class': {f'{BOX_HEAD}.reg_class_agnostic': False},
    'RPN by softmax, centred at 7.5, anchors inside': {
        'model.rpn_head.loss_cls.use_sigmoid': False,
        'model.rpn_head.anchor_generator.centers': [(7.5, 7.5)],
        'model.train_cfg.rpn.allowed_border': 0,
    },
    'fully connected from N(0, .01)': {
        f'{BOX_HEAD}.init_cfg': [
            _normal('shared_fcs', 0.01), _normal('fc_cls', 0.01), _normal('fc_reg', 0.001)
        ],
    },
    'biases decay': {'optim_wrapper.paramwise_cfg.bias_decay_mult': 1},
    'no clipping': {'optim_wrapper.clip_grad': None},
}  # fmt: skip
"""Points in which the paper and its code differ from others; ``configs/README.md`` has them."""

_FROM_SCRATCH: dict[str, object] = {
    'custom_hooks': [],
    'model.neck.init_cfg': None,
    'model.backbone.init_cfg': None,
    'model.backbone.frozen_stages': -1,
    f'{MULTIPLIER}.backbone.lr_mult': 1.0,
}
BACKBONES: Steps = {
    'ShuffleNet V2 1.0x from scratch': _FROM_SCRATCH,
    'MobileNetV2 1.0x from scratch': {
        name: value for name, value in _FROM_SCRATCH.items() if '.backbone.' not in name
    }
    | {
        f'{MULTIPLIER}.backbone.lr_mult': 1.0,
        'model.backbone._delete_': True,
        'model.backbone.type': 'mmdet.MobileNetV2',
        'model.backbone.out_indices': (2, 4, 6),
        'model.neck.in_channels': (32, 96, 320),
    },
}


def _from_scratch(network: Candidate) -> dict[str, object]:
    arch = dict(_delete_=True, **asdict(network.arch))
    channels = out_channels(network.arch, (1, 2, 3))
    return _FROM_SCRATCH | {'model.backbone.arch': arch, 'model.neck.in_channels': channels}


_SIZE = (320, 320)
NETWORKS = (
    Candidate(0.5, (2, 4, 2), 'plain', _SIZE),
    Candidate(0.5, (4, 8, 4), 'plain', _SIZE),
    Candidate(1.0, (2, 4, 2), 'plain', _SIZE),
    Candidate(1.0, (4, 8, 4), 'plain', _SIZE),
    Candidate(1.5, (4, 8, 4), 'plain', _SIZE),
)
"""Of the frontier of macs against milliseconds that choose_backbone.py finds."""

FRONTIER: Steps = {network.name: _from_scratch(network) for network in NETWORKS}
"""Backbones that a budget would choose, all from scratch."""

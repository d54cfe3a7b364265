"""Protections of training, evaluation and files; `ProtectionHook` switches them all on."""

from shufflenet_det.data.coco import check_predictions
from shufflenet_det.data.images import CheckedLoadImage
from shufflenet_det.data.pixels import read_image
from shufflenet_det.data.training_check import DataError, check_training_data

from .checkpoint import SafeCheckpointHook
from .fast_cpu import FastCPUHook
from .metric import SafeCocoMetric
from .newest import newest_intact
from .protection import ProtectionHook
from .resume import ResumableIterLoop, ResumableTrainLoop
from .seeded_batches import ResumableBatchSampler
from .statistics import UnfoldBNHook

__all__ = [
    'CheckedLoadImage',
    'DataError',
    'FastCPUHook',
    'ProtectionHook',
    'ResumableBatchSampler',
    'ResumableIterLoop',
    'ResumableTrainLoop',
    'SafeCheckpointHook',
    'SafeCocoMetric',
    'UnfoldBNHook',
    'check_predictions',
    'check_training_data',
    'newest_intact',
    'read_image',
]

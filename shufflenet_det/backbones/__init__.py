"""Backbones with the feature levels of a detector, one file a family."""

from .densenet import DenseNet
from .mmdet_levels import LevelMobileNetV2, LevelResNet
from .mobilenet_v1 import MobileNetV1
from .shufflenet_v1 import ShuffleNetV1
from .shufflenet_v2 import SEShuffleNetV2, ShuffleNetV2
from .xception import Xception

__all__ = [
    'DenseNet',
    'LevelMobileNetV2',
    'LevelResNet',
    'MobileNetV1',
    'SEShuffleNetV2',
    'ShuffleNetV1',
    'ShuffleNetV2',
    'Xception',
]

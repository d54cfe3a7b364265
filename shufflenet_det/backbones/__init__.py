"""Backbones with the feature levels of a detector, one file a family; the table needs no torch."""

from shufflenet_det.integration.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        'DenseNet': 'densenet',
        'LevelMobileNetV2': 'mmdet_levels',
        'LevelResNet': 'mmdet_levels',
        'MobileNetV1': 'mobilenet_v1',
        'SEShuffleNetV2': 'shufflenet_v2',
        'ShuffleNetV1': 'shufflenet_v1',
        'ShuffleNetV2': 'shufflenet_v2',
        'Xception': 'xception',
    },
)

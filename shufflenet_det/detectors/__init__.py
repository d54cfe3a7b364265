"""Light-Head R-CNN and its parts."""

from .light_head import LargeSeparableConv2d, LevelRPNHead, LightHeadRCNN, LightHeadRoIHead
from .ohem import LightHeadOHEMSampler
from .ps_roi import PSRoIAlign, PSRoIExtractor, ps_roi_align

__all__ = [
    'LargeSeparableConv2d',
    'LevelRPNHead',
    'LightHeadOHEMSampler',
    'LightHeadRCNN',
    'LightHeadRoIHead',
    'PSRoIAlign',
    'PSRoIExtractor',
    'ps_roi_align',
]

"""Light-Head R-CNN, NanoDet and their parts."""

from .gfl_sep_bn import GFLSepBNHead
from .light_head import LargeSeparableConv2d, LevelRPNHead, LightHeadRCNN, LightHeadRoIHead
from .nanodet import NanoDet, NanoDetPlus
from .nanodet_heads import AssignGuidanceHead, NanoDetHead, NanoDetPlusHead
from .nanodet_necks import GhostPAN, NanoDetPAN
from .ohem import LightHeadOHEMSampler
from .ps_roi import PSRoIAlign, PSRoIExtractor, ps_roi_align

__all__ = [
    'AssignGuidanceHead',
    'GFLSepBNHead',
    'GhostPAN',
    'LargeSeparableConv2d',
    'LevelRPNHead',
    'LightHeadOHEMSampler',
    'LightHeadRCNN',
    'LightHeadRoIHead',
    'NanoDet',
    'NanoDetHead',
    'NanoDetPAN',
    'NanoDetPlus',
    'NanoDetPlusHead',
    'PSRoIAlign',
    'PSRoIExtractor',
    'ps_roi_align',
]

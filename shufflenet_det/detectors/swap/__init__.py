"""Any config of MMDetection with one of our backbones in place of its own."""

from .change import Change
from .config import backbone_config, find_detector, read_config, swap_backbone, swapped_text

__all__ = [
    'Change', 'backbone_config', 'find_detector', 'read_config', 'swap_backbone', 'swapped_text',
]  # fmt: skip

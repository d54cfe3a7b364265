"""Data sets: the generated demo set in COCO and Pascal VOC format."""

from .demo import CLASSES, PALETTE, DemoSet, generate
from .voc import generate_voc

__all__ = ['CLASSES', 'PALETTE', 'DemoSet', 'generate', 'generate_voc']

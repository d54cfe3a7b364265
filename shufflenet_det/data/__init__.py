"""Data sets: the generated demo set."""

from .demo import CLASSES, PALETTE, DemoSet, generate

__all__ = ['CLASSES', 'PALETTE', 'DemoSet', 'generate']

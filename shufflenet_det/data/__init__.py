"""Data sets: reading, checking, and the generated demo set in COCO and Pascal VOC format."""

from shufflenet_det.integration.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        'CLASSES': 'demo',
        'PALETTE': 'demo',
        'DemoSet': 'demo',
        'generate': 'demo',
        'generate_voc': 'demo_voc',
    },
)

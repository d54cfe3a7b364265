"""Light-weight detection for MMDetection: ShuffleNet V2 backbones and Light-Head R-CNN.

Importing the package registers its modules with MMDetection and, where mmcv is not compiled,
backs mmcv's ops with torchvision. Without mmdet (deployed runtime) nothing is imported.
"""

from importlib.util import find_spec

from .version import __version__

if find_spec('mmdet') is not None:
    from . import register

    __all__ = ['__version__', 'register']
else:
    __all__ = ['__version__']

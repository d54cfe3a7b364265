"""Light-weight detection for MMDetection: ShuffleNet V2 backbones and Light-Head R-CNN.

Importing the package imports no other library. It tells the registries of MMEngine and MMDetection
where its modules are and, where mmcv is not compiled, answers for mmcv's ops with torch's and
torchvision's; `integration/README.md` lists every change to another library.
"""

from .integration import amendments
from .integration.lazy import lazy_names
from .version import __version__

amendments.install()

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        'LightHeadRCNN': 'detectors',
        'SEShuffleNetV2': 'backbones.shufflenet_v2',
        'ShuffleNetV2': 'backbones.shufflenet_v2',
    },
)
__all__ += ['__version__']

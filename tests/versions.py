"""What the oldest versions that setup.py allows cannot do."""

import mmcv
import pytest
import torch
from packaging.version import Version

OLD_EXPORTER = Version(torch.__version__) < Version('2.14')
"""Whether torch may train, but is older than the extra "deploy" asks for."""

needs_exporter = pytest.mark.skipif(OLD_EXPORTER, reason='the extra deploy needs torch 2.14')
OLD_MMCV = Version(mmcv.__version__) < Version('2.1')
needs_mmcv_2_1 = pytest.mark.skipif(OLD_MMCV, reason='mmcv 2.0 moves the points to a GPU itself')
needs_norms_by_class = pytest.mark.skipif(
    OLD_MMCV, reason='mmcv 2.0 takes no class as the type of a norm'
)

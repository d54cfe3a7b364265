"""Answers `import mmcv._ext` with `shufflenet_det.integration.mmcv_ops` where mmcv is not compiled.

Standard library only: this file also runs by its path, without importing the package, from the
`shufflenet_det_mmcv.pth` that the installation puts into site-packages (see setup.py).
"""

import os
import sys
from importlib.machinery import ModuleSpec


class MmcvExtFinder:
    """Finder for the one name `mmcv._ext`.

    It stands last in `sys.meta_path`, so the extension of a compiled mmcv is always found first.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != 'mmcv._ext':
            return None
        from importlib.util import spec_from_file_location

        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'mmcv_ops')
        return spec_from_file_location(
            name, os.path.join(folder, '__init__.py'), submodule_search_locations=[folder]
        )


def install() -> None:
    """Append the finder to `sys.meta_path`, once."""
    # By name: the .pth hook is another class object with the same duty.
    if not any(getattr(f, '__name__', '') == MmcvExtFinder.__name__ for f in sys.meta_path):
        sys.meta_path.append(MmcvExtFinder)

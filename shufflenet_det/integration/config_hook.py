"""Lets mmengine find `_base_ = 'shufflenet_det::...'` before shufflenet_det is imported.

mmdet's own tools read a config first and import what it names afterwards. Standard library only:
this file runs by its path from the `shufflenet_det_mmcv.pth` of an installation, when
`mmengine.config.config` is imported and at no other time.
"""

import os
import sys
from importlib.machinery import ModuleSpec
from runpy import run_path

MODULE = 'mmengine.config.config'


class Loader:
    """Executes the module as its own loader does, then teaches its `Config` the names.

    Args:
        own: The module's own loader; everything but `exec_module` is left to it.
    """

    def __init__(self, own: object) -> None:
        self._own = own

    def __getattr__(self, name: str) -> object:
        return getattr(self._own, name)

    def exec_module(self, module: object) -> None:
        """Execute the module, then replace how its `Config` finds a base."""
        self._own.exec_module(module)
        folder = os.path.dirname(os.path.abspath(__file__))
        run_path(os.path.join(folder, 'config_scope.py'))['install_bases'](module.Config)


def find_spec(name: str, path: object = None) -> ModuleSpec | None:
    """The module's own spec with a `Loader` around its loader; None for other names."""
    if name != MODULE:
        return None
    others = [f for f in sys.meta_path if getattr(f, '__name__', '') != 'ConfigHookFinder']
    for finder in others:
        spec = finder.find_spec(name, path)
        if spec is not None:
            spec.loader = Loader(spec.loader)
            return spec
    return None

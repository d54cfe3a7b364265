"""What Python's imports learn: mmcv's missing ops, and modules that are amended as they load.

Standard library only. The installation puts a copy of this file into site-packages, where the line
of `shufflenet_det.pth` imports it when Python starts (see setup.py). The copy finds the ops and the
configs of the package without importing it; importing the package adds its registrations.
"""

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from runpy import run_path
from types import ModuleType

MMCV_EXT = 'mmcv._ext'
CONFIGS_BY_PACKAGE = {
    'mmengine.config.config': 'find_bases',
    'mmengine.hub': 'find_in_hub',
}
"""Module -> function of `integration/config_scope.py` that changes it."""
_MARK = '_amended_by_shufflenet_det'


def _installed(name: str) -> Path | None:
    """A file of the package's folder `integration`; None where the package has none."""
    spec = find_spec('shufflenet_det')
    path = spec and Path(spec.submodule_search_locations[0], 'integration', name)
    return path if path and path.is_file() else None


class MmcvExtFinder:
    """Answers `import mmcv._ext` with `integration/mmcv_ops`.

    It stands last in `sys.meta_path`, so the extension of a compiled mmcv is always found first.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != MMCV_EXT or not (ops := _installed('mmcv_ops/__init__.py')):
            return None
        return spec_from_file_location(name, ops, submodule_search_locations=[str(ops.parent)])


class AmendingFinder:
    """Lets functions see a module when it has been executed, before anybody else does.

    It stands first in `sys.meta_path` as long as it waits for a module.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[Callable[[ModuleType], None]]] = {}

    def wait(self, name: str, amend: Callable[[ModuleType], None]) -> None:
        """Call ``amend`` with the module ``name`` once it is there."""
        self._waiting.setdefault(name, []).append(amend)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The module's own spec, with a loader that amends it; None of what nobody waits for."""
        if name not in self._waiting:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _AmendingLoader(spec.loader, self)
                return spec
        return None

    def executed(self, module: ModuleType) -> None:
        """Amend a module that was waited for."""
        for amend in self._waiting.pop(module.__name__, ()):
            amend(module)
        if not self._waiting and self in sys.meta_path:
            sys.meta_path.remove(self)


class _AmendingLoader:
    """A module's own loader, which tells an :class:`AmendingFinder` when it is done."""

    def __init__(self, own: object, finder: AmendingFinder) -> None:
        self._own = own
        self._finder = finder

    def __getattr__(self, name: str) -> object:
        return getattr(self._own, name)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, then have it amended."""
        self._own.exec_module(module)
        self._finder.executed(module)


_finder = AmendingFinder()


def amend(name: str, label: str, change: Callable[[ModuleType], None]) -> None:
    """Apply a change to a module once: now, or when it is imported.

    Args:
        name: Dotted name of the module.
        label: Name of the change; the module remembers it.
        change: Called with the module.
    """

    def once(module: ModuleType) -> None:
        done = module.__dict__.setdefault(_MARK, set())
        if label not in done:
            done.add(label)
            change(module)

    if name in sys.modules:
        once(sys.modules[name])
    else:
        _finder.wait(name, once)


def _find_configs(module: ModuleType) -> None:
    scope = _installed('config_scope.py')
    amendment = scope and run_path(str(scope)).get(CONFIGS_BY_PACKAGE[module.__name__])
    if amendment:  # this copy may be of another version than the package
        amendment(module)


def install() -> None:
    """Answer for mmcv's ops and for configs of packages; a second call adds nothing."""
    # By name: the copy in site-packages is another class object with the same duty.
    if not any(getattr(f, '__name__', '') == MmcvExtFinder.__name__ for f in sys.meta_path):
        sys.meta_path.append(MmcvExtFinder)
    for name, change in CONFIGS_BY_PACKAGE.items():
        amend(name, change, _find_configs)


if __name__ == 'shufflenet_det_startup':
    install()

"""Finds configs of installed packages: `_base_ = 'shufflenet_det::lighthead_snv2.py'`.

mmengine 0.10.7 does it through `pkg_resources`, which setuptools 81 removed, and only for packages
of OpenMMLab and configs in a folder. Here a package is what Python imports under the name.

Nothing of mmengine is imported with this file, because the start-up file runs it by its path.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType


def config_root(package: str) -> Path:
    """The folder of a package's configs: `.mim/configs` of a wheel, `configs` of a source tree.

    Raises:
        ModuleNotFoundError: If the package is not installed.
        FileNotFoundError: If it has no configs.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f'{package}:: names no installed package; install {package}')
    folder = Path(spec.submodule_search_locations[0])
    roots = [folder / '.mim/configs', folder.parent / 'configs']
    for root in roots:
        if root.is_dir():
            return root
    raise FileNotFoundError(f'{package} ships no configs; looked in {roots[0]} and {roots[1]}')


def config_path(name: str) -> Path:
    """The file of a config written as `package::path/below/configs.py`.

    Raises:
        ValueError: If the name is not of this form.
        ModuleNotFoundError: If the package is not installed.
        FileNotFoundError: If it has no such config.
    """
    package, _, relative = name.partition('::')
    if not package.isidentifier() or not relative or '::' in relative:
        raise ValueError(f'{name!r} is no config of a package; write package::path/config.py')
    path = config_root(package) / relative
    if not path.is_file():
        raise FileNotFoundError(f'{name}: {package} has no config {relative} in {path.parent}')
    return path


SUFFIXES = ('.py', '.json', '.yaml', '.yml')
"""Of the files that mmengine reads as configs."""


def config_file(name: str | Path) -> Path:
    """The file of a config given by its path, or as :func:`config_path` takes it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no config by its name.
    """
    if '::' in str(name):
        return config_path(str(name))
    path = Path(name)
    if not path.is_file():
        what = 'is a folder' if path.is_dir() else 'no such file'
        raise FileNotFoundError(f'{name}: {what}; give the path of a config file')
    if path.suffix not in SUFFIXES:
        raise ValueError(f'{name}: is no config, whose name ends in {", ".join(SUFFIXES)}')
    return path


def find_bases(module: ModuleType) -> None:
    """Let the `_base_` of `mmengine.config.config` find configs this way."""
    own = module.Config._get_cfg_path

    def base_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if '::' not in cfg_path:
            return own(cfg_path, filename)
        path, package = config_path(cfg_path), cfg_path.partition('::')[0]
        # A scope is a registry; a package without one, like ours, registers with MMDetection.
        return str(path), package if find_spec(f'{package}.registry') else None

    module.Config._get_cfg_path = staticmethod(base_path)


def find_in_hub(module: ModuleType) -> None:
    """Let `get_config` and `get_model` of `mmengine.hub` find configs this way.

    mmengine's own answer where the weights' address is asked for, and build what has a registry.
    """
    own_config, own_model = module.get_config, module.get_model

    def get_config(cfg_path: str, pretrained: bool = False) -> object:
        if pretrained:
            return own_config(cfg_path, pretrained)
        from mmengine.config import Config

        return Config.fromfile(config_path(cfg_path))

    def get_model(cfg_path: str, pretrained: bool = False, **kwargs) -> object:
        package = cfg_path.partition('::')[0]
        if find_spec(f'{package}.registry'):
            return own_model(cfg_path, pretrained, **kwargs)
        from mmengine.registry import MODELS, DefaultScope

        import_module(package)
        cfg = module.get_config(cfg_path, pretrained)
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
            return MODELS.build(cfg.model, default_args=kwargs)

    module.get_config = module.hub.get_config = get_config
    module.get_model = module.hub.get_model = get_model

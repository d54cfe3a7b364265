"""Finds configs of installed packages: `_base_ = 'shufflenet_det::lighthead_snv2.py'`.

mmengine 0.10.7 does it through `pkg_resources`, which setuptools 81 removed, and only for packages
of OpenMMLab and configs in a folder. Here a package is what Python imports under the name.

Nothing of mmengine is imported with this file, because `config_hook` runs it by its path.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


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


def install() -> None:
    """Let mmengine's `_base_` and `mmengine.hub.get_config` find configs this way."""
    from mmengine import hub
    from mmengine.config import Config

    install_bases(Config)
    own = hub.get_config

    def get_config(cfg_path: str, pretrained: bool = False) -> Config:
        """`mmengine.hub.get_config`; mmengine's own where the weights' address is asked for."""
        if pretrained:
            return own(cfg_path, pretrained)
        return Config.fromfile(config_path(cfg_path))

    hub.get_config = hub.hub.get_config = get_config


def install_bases(config: type) -> None:
    """Let the `_base_` of mmengine's class `Config` find configs this way."""
    own = config._get_cfg_path

    def base_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if '::' not in cfg_path:
            return own(cfg_path, filename)
        path, package = config_path(cfg_path), cfg_path.partition('::')[0]
        # A scope is a registry; a package without one, like ours, registers with MMDetection.
        return str(path), package if find_spec(f'{package}.registry') else None

    config._get_cfg_path = staticmethod(base_path)

"""The cells of the matrix of versions, as a table."""

from __future__ import annotations

import re
from dataclasses import dataclass

from paths import ROOT


@dataclass(frozen=True)
class Cell:
    """Versions that are tried together.

    Args:
        name: What is special about them.
        packages: Requirements that are installed, beside or in place of what is there.
        python: Version of an interpreter of its own, such as ``3.12``, whose environment starts
            empty; None takes the packages of the running one for all that is not named.
        without: Distributions that the cell must not see, beside those that it installs.
        bounds: Only what ``packages`` says is installed, our own requirements are not asked.
        flags: Of the interpreter.
    """

    name: str
    packages: tuple[str, ...] = ()
    python: str | None = None
    without: tuple[str, ...] = ()
    bounds: bool = False
    flags: tuple[str, ...] = ()


OF_THEIR_OWN = ('executorch', 'litert-torch', 'ai-edge-litert')
"""Need the newest torch; tools/check_runtimes.sh has an environment for them."""


def lowest() -> tuple[str, ...]:
    """Each lower bound of setup.py as a pin: torch>=2.6 is torch==2.6.*"""
    pins: dict[str, str] = {}
    text = (ROOT / 'setup.py').read_text(encoding='utf-8')
    for name, version in re.findall(r"'([\w-]+)>=([\w.]+)", text):
        if name not in OF_THEIR_OWN:
            pins.setdefault(name, version)  # torch of training stands before that of exporting
    return tuple(
        f'{name}=={version}' + '.*' * (version.count('.') < 2 and 'rc' not in version)
        for name, version in pins.items()
    )


def _torch(minor: int) -> tuple[str, ...]:
    """torch 2.6 came with torchvision 0.21, and so on."""
    return f'torch==2.{minor}.*', f'torchvision==0.{minor + 15}.*'


HERE = '3.11'
"""The Python that versions of torch are tried with."""

ONEDL = (
    'onedl-mmengine', 'onedl-mmdetection', 'onedl-mmcv', 'imaug',
    'scikit-image', 'imageio', 'lazy_loader', 'tifffile',
)  # fmt: skip
"""The forks, and what imaug needs."""

REPLACED = ('mmengine', 'mmdet', 'mmcv-lite', 'mmcv')

CELLS = (
    Cell('what is installed'),
    *(Cell(f'Python 3.{minor}', python=f'3.{minor}') for minor in range(10, 15)),
    *(Cell(f'torch 2.{minor}', _torch(minor), HERE) for minor in range(6, 16)),
    Cell('lowest of setup.py', lowest(), HERE, bounds=True),
    Cell('numpy 1.26', ('numpy==1.26.*', 'opencv-python==4.11.*', 'ml_dtypes<0.6')),
    Cell('setuptools with pkg_resources', ('setuptools<81',)),
    Cell('setuptools without pkg_resources', ('setuptools>=82',)),
    Cell('mmcv-lite 2.0', ('mmcv-lite==2.0.*',)),
    Cell('mmcv-lite 2.2', ('mmcv-lite==2.2.*',)),
    Cell('mmcv-lite 2.2, python -O', ('mmcv-lite==2.2.*',), flags=('-O',)),
    Cell('onedl forks', ONEDL, without=REPLACED),
)

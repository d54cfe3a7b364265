"""What stands for the functions of `mmcv._ext` that nothing backs."""

from collections.abc import Callable
from typing import NoReturn

import torchvision

from .table import ALTERNATIVES


def __getattr__(name: str) -> Callable[..., NoReturn]:
    """Any further name: a function that raises NotImplementedError when it is called."""
    if name.startswith('__'):
        raise AttributeError(name)
    alternative = next((a for prefix, a in ALTERNATIVES.items() if name.startswith(prefix)), None)

    def unsupported(*args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(
            f'the mmcv op {name!r} is none of those that shufflenet_det backs by torch '
            '(integration/mmcv_ops/README.md), and mmcv is not compiled here (mmcv-lite). Remedy: '
            + (f'use {alternative}; or ' if alternative else '')
            + 'replace mmcv-lite by a compiled mmcv (pip uninstall mmcv-lite, then '
            "pip install 'mmcv>=2.0.0rc4,<2.2.0', see mmcv's installation page)."
        )

    return unsupported


def get_compiler_version() -> str:
    """What mmcv reports in place of a compiler."""
    return f'not compiled (ops from torchvision {torchvision.__version__})'


def get_compiling_cuda_version() -> str:
    """What mmcv reports in place of a CUDA version."""
    return 'not compiled'

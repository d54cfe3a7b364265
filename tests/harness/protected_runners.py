"""pytest plugin: `ProtectionHook` in every Runner that another project's tests build.

In a checkout of the project: python -m pytest -p harness.protected_runners tests
"""

import os
from functools import wraps

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The same tests with our ops and registries alone."""
    parser.addoption('--without-hook', action='store_true')


def pytest_configure(config: pytest.Config) -> None:
    """Before the project's tests are imported, which need mmcv's ops."""
    import shufflenet_det  # noqa: F401, I001  (mmdet's tests need the ops)
    from mmdet.testing import _utils
    from mmengine.runner import Runner

    _utils._get_config_directory = lambda: os.path.abspath('configs')  # not beside the installed
    if config.getoption('without_hook'):
        return
    register = Runner.register_hooks

    @wraps(register)
    def register_and_protect(runner: Runner, *args: object, **kwargs: object) -> None:
        register(runner, *args, **kwargs)
        runner.register_hook(dict(type='mmdet.ProtectionHook'))

    Runner.register_hooks = register_and_protect

"""Every public name says what it is; a method may inherit what its base class says."""

import inspect
import pkgutil
from importlib import import_module
from types import ModuleType

import pytest

import shufflenet_det

# Cases of the fault drill are rows of a table that describes each; its functions only inject.
EXEMPT = ('drill',)
MODULES = [
    module.name
    for module in pkgutil.walk_packages(shufflenet_det.__path__, 'shufflenet_det.')
    if not module.name.startswith(EXEMPT)
]


def public(module: ModuleType) -> dict[str, object]:
    """Public functions, classes and their methods that a module defines."""
    found = {}
    for name, value in vars(module).items():
        defined = getattr(value, '__module__', None) == module.__name__
        if name.startswith('_') or not defined or not callable(value):
            continue
        found[name] = value
        if inspect.isclass(value):
            members = {key: m for key, m in vars(value).items() if not key.startswith('_')}
            for key, member in members.items():
                if inspect.isfunction(member) or isinstance(member, (property, classmethod)):
                    found[f'{name}.{key}'] = getattr(value, key)
    return found


@pytest.mark.parametrize('name', MODULES)
def test_public_names_have_docstrings(name):
    module = import_module(name)
    silent = [key for key, value in public(module).items() if not inspect.getdoc(value)]
    assert module.__doc__ and not silent, f'{name}: write docstrings for {silent}'

"""Every public name says what it is; a method may inherit what its base class says."""

import inspect
import pkgutil
import re
from importlib import import_module
from types import ModuleType

import pytest

import shufflenet_det
from shufflenet_det.deploy.formats import FORMATS

MODULES = [
    module.name for module in pkgutil.walk_packages(shufflenet_det.__path__, 'shufflenet_det.')
]
REFERENCE = re.compile(r':(?:func|class|data|meth|mod):`~?([\w.]+)`')


def imported(name: str) -> ModuleType:
    """The module; skipped where a runtime that it is about is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        for row in FORMATS.values():
            if error.name in row.modules:
                pytest.skip(f'{error.name} is not installed: {row.pip}')
        raise


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
    module = imported(name)
    silent = [key for key, value in public(module).items() if not inspect.getdoc(value)]
    assert module.__doc__ and not silent, f'{name}: write docstrings for {silent}'


def exists(reference: str, module: ModuleType) -> bool:
    if reference.startswith('.'):
        reference = f'{module.__package__}{reference}'
    if reference.startswith('shufflenet_det.'):
        try:
            pkgutil.resolve_name(reference)
        except (ImportError, AttributeError):
            return False
        return True
    classes = [value for value in vars(module).values() if inspect.isclass(value)]
    return any(hasattr(owner, reference) for owner in (module, *classes))


@pytest.mark.parametrize('name', MODULES)
def test_what_docstrings_refer_to_exists(name):
    module = imported(name)
    references = REFERENCE.findall(inspect.getsource(module))
    assert [reference for reference in references if not exists(reference, module)] == []

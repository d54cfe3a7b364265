"""The house is as the pages say: few rooms, imports that go one way, short files and functions."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT

PACKAGE = ROOT / 'shufflenet_det'
FLOORS = (
    ('archs', 'version'),
    ('integration',),
    ('checkpoints', 'data'),
    ('backbones',),
    ('detectors',),
    ('training',),
    ('deploy',),
    ('bench',),
)
"""From the ground up: a module imports from its own folder and from floors below."""

FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
PAGES = {'README.md', 'DECISIONS.md'}
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 250, 40


def sources() -> Iterator[Path]:
    """Every Python file apart from configs."""
    yield ROOT / 'setup.py'
    for folder in ('shufflenet_det', 'tests', 'tools'):
        yield from (ROOT / folder).rglob('*.py')


def imported(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports anywhere, also for types only."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            start = '.'.join((*above, *([node.module] if node.module else [])))
            yield from (f'{start}.{alias.name}' for alias in node.names)


def test_the_root_shows_its_rooms_only():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {'__pycache__', '.mim'}
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert files - PAGES == {'__init__.py', 'archs.py', 'version.py'}
    assert folders == set(FLOOR) - {'archs', 'version'}


@pytest.mark.parametrize('name', FLOOR)
def test_no_import_goes_upwards(name):
    room = PACKAGE / name
    upwards = []
    for path in room.rglob('*.py') if room.is_dir() else [room.with_suffix('.py')]:
        for module in imported(path):
            target = module.removeprefix('shufflenet_det.').partition('.')[0]
            if module.startswith('shufflenet_det.') and target in FLOOR and target != name:
                if FLOOR[target] >= FLOOR[name]:
                    upwards.append(f'{path.relative_to(ROOT)} imports {module}')
    assert upwards == []


def test_files_and_functions_are_short():
    long = []
    for path in sources():
        text, name = path.read_text(encoding='utf-8'), path.relative_to(ROOT).as_posix()
        if text.count('\n') > LINES_OF_A_FILE:
            long.append(name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if node.end_lineno - node.lineno >= LINES_OF_A_FUNCTION:
                    long.append(f'{name}:{node.name}')
    assert sorted(set(long)) == []


def functions_of_tests() -> Iterator[tuple[str, ast.FunctionDef, set[str]]]:
    """File, function, and the names that it calls."""
    for path in (ROOT / 'tests').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.FunctionDef):
                called = (n.func for n in ast.walk(node) if isinstance(n, ast.Call))
                names = {getattr(f, 'id', getattr(f, 'attr', '')) for f in called}
                yield path.relative_to(ROOT).as_posix(), node, names


def checks(node: ast.FunctionDef, called: set[str]) -> bool:
    """Whether a function compares something, or expects an error or a warning."""
    own = any(isinstance(n, ast.Assert) for n in ast.walk(node)) or called & {'raises', 'warns'}
    return bool(own) or any(name.startswith('assert_') for name in called)


def test_every_test_checks_a_value():
    found = list(functions_of_tests())
    helpers = {node.name for _, node, called in found if checks(node, called)}
    blind = [
        f'{path}:{node.name}'
        for path, node, called in found
        if '/test_' in path
        and node.name.startswith('test_')
        and not (checks(node, called) or called & helpers)
    ]
    assert blind == []


def test_onnxruntime_is_imported_where_its_telemetry_is_off():
    home = PACKAGE / 'deploy' / 'onnx_runtime.py'
    users = [
        path for path in sources() if 'onnxruntime' in {m.partition('.')[0] for m in imported(path)}
    ]
    assert users == [home]

"""The built wheel and sdist, and a foreign project that has nothing but the installed wheel."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from harness import newcomer
from paths import ROOT

SOURCES = (
    'LICENSE', 'README.md', 'configs', 'model-index.yml', 'pyproject.toml', 'setup.py',
    'shufflenet_det', 'tests',
)  # fmt: skip
CONFIGS = {
    p.relative_to(ROOT).as_posix()
    for p in [ROOT / 'model-index.yml', *(ROOT / 'configs').rglob('*.*')]
    if p.suffix in ('.py', '.yml')
}
MODULES = {p.relative_to(ROOT).as_posix() for p in (ROOT / 'shufflenet_det').rglob('*.py')}
PACKAGED = {
    p.relative_to(ROOT).as_posix() for p in (ROOT / 'shufflenet_det/checkpoints/packaged').iterdir()
}
HOOK = 'shufflenet_det/integration/shufflenet_det.pth'
GENERATED = {'PKG-INFO', 'setup.cfg'}
HOOKS = {'shufflenet_det.pth', 'shufflenet_det_startup.py'}
"""What Python reads when it starts: beside the package."""

PREDICT = """
import shufflenet_det
import shufflenet_det.checkpoints.mmengine_loader
from mmdet.apis import inference_detector, init_detector

assert shufflenet_det.__file__.startswith({site!r}), shufflenet_det.__file__
detector = init_detector('mine.py', 'out/iter_1.pth', device='cpu')
print('boxes', inference_detector(detector, 'set/val/000001.jpg').pred_instances.bboxes.shape)
"""


def run(*command: str, cwd: Path, python: str | Path = sys.executable) -> str:
    done = subprocess.run(
        [python, *command], cwd=cwd, capture_output=True, text=True,
        env=dict(newcomer.variables(borrow=True), OMP_NUM_THREADS='1'),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(*arguments: str, cwd: Path) -> None:
    run('-m', 'pip', '--quiet', *arguments, '--no-deps', '--no-index', cwd=cwd)


@pytest.fixture(scope='module')
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packaged, so that building leaves nothing in the project."""
    folder = tmp_path_factory.mktemp('tree')
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(source, folder)
    return folder


@pytest.fixture(scope='module')
def wheel(tree: Path) -> Path:
    pip('wheel', '--no-build-isolation', '--wheel-dir', 'from_tree', '.', cwd=tree)
    (path,) = (tree / 'from_tree').glob('*.whl')
    return path


@pytest.fixture(scope='module')
def sdist(tree: Path) -> Path:
    run('setup.py', '--quiet', 'sdist', '--dist-dir', 'sdist', cwd=tree)
    (path,) = (tree / 'sdist').glob('*.tar.gz')
    return path


def content(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if '.dist-info/' not in name}


def test_wheel_holds_the_package_and_its_configs(wheel: Path) -> None:
    hooks = {name for name in content(wheel) if '/' not in name}
    assert hooks == HOOKS
    expected = MODULES | PACKAGED | {f'shufflenet_det/.mim/{name}' for name in CONFIGS}
    assert {'blood_cells.onnx', 'README.md'} <= {Path(name).name for name in PACKAGED}
    assert content(wheel) - hooks == expected


def test_wheel_of_the_sdist_is_the_same(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter='data')
    (source,) = tmp_path.iterdir()
    pip('wheel', '--no-build-isolation', '--wheel-dir', 'again', '.', cwd=source)
    (again,) = (source / 'again').glob('*.whl')
    assert content(again) == content(wheel)


def test_sdist_holds_what_is_installed(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        files = {Path(*Path(m.name).parts[1:]).as_posix() for m in archive if m.isfile()}
    files = {name for name in files if '.egg-info/' not in name}
    roots = {HOOK, 'LICENSE', 'README.md', 'pyproject.toml', 'setup.py'}
    expected = MODULES | PACKAGED | CONFIGS | roots
    assert files - GENERATED == expected


@pytest.mark.parametrize('kind', ['wheel', 'sdist'])
def test_foreign_project_trains_and_predicts(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """In a clean environment, with mmdet's own tool, by a config that only names one of ours."""
    package = request.getfixturevalue(kind)
    stages = newcomer.install_to_iteration(package, tmp_path, borrow=True)
    assert stages[-1].stage == 'first iteration'
    code = PREDICT.format(site=str(tmp_path / 'site'))
    printed = run(
        '-c', code, cwd=tmp_path / 'project', python=(tmp_path / 'site/bin/python').absolute()
    )
    assert 'boxes torch.Size([' in printed

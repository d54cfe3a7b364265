"""The built wheel and sdist, and a foreign project that has nothing but the installed wheel."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from shufflenet_det.data import generate

ROOT = Path(__file__).parents[1]
SOURCES = ('LICENSE', 'README.md', 'configs', 'pyproject.toml', 'setup.py', 'shufflenet_det')
CONFIGS = {p.relative_to(ROOT).as_posix() for p in (ROOT / 'configs').rglob('*.py')}
MODULES = {p.relative_to(ROOT).as_posix() for p in (ROOT / 'shufflenet_det').rglob('*.py')}

TRAIN = """
import shufflenet_det
from mmengine.config import Config
from mmengine.runner import Runner
from mmdet.apis import inference_detector, init_detector

assert shufflenet_det.__file__.startswith({site!r}), shufflenet_det.__file__
cfg = Config.fromfile('mine.py')
runner = Runner.from_cfg(cfg)
runner.train()
assert runner.iter == 1
detector = init_detector('mine.py', 'out/iter_1.pth', device='cpu')
print('boxes', inference_detector(detector, {image!r}).pred_instances.bboxes.shape)
"""
MINE = """
_base_ = 'shufflenet_det::demo/lighthead_snv2_demo.py'
custom_imports = dict(imports=['shufflenet_det'])
work_dir = 'out'
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=1, val_interval=10)
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1))
"""


def run(*command: str, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1', **env),
    )
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
    hooks = {name for name in content(wheel) if name.endswith('.pth')}
    assert [Path(name).name for name in hooks] == ['shufflenet_det_mmcv.pth']
    expected = MODULES | {f'shufflenet_det/.mim/{name}' for name in CONFIGS}
    assert content(wheel) - hooks == expected


def test_wheel_of_the_sdist_is_the_same(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter='data')
    (source,) = tmp_path.iterdir()
    pip('wheel', '--no-build-isolation', '--wheel-dir', 'again', '.', cwd=source)
    (again,) = (source / 'again').glob('*.whl')
    assert content(again) == content(wheel)


def test_foreign_project_trains_and_predicts(wheel: Path, tmp_path: Path) -> None:
    site, project = tmp_path / 'site', tmp_path / 'project'
    project.mkdir()
    pip('install', '--target', str(site), str(wheel), cwd=tmp_path)
    demo = generate(tmp_path / 'data', num_train=4, num_val=1)
    (project / 'mine.py').write_text(MINE)
    code = TRAIN.format(site=str(site), image=str(demo.image_dir('val') / '000001.jpg'))
    printed = run('-c', code, cwd=project, PYTHONPATH=str(site), DEMO_ROOT=str(demo.root))
    assert 'boxes torch.Size([' in printed

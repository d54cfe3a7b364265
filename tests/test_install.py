"""A bare mmcv-lite installation: import order, ops and config names."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import shufflenet_det

PACKAGE = Path(shufflenet_det.__file__).parent

# Start-up code for a fresh interpreter: only what the .pth line does, or nothing, is in place.
NO_HOOK = """
import sys
ours = ('MmcvExtFinder', 'AmendingFinder')
sys.meta_path[:] = [
    f for f in sys.meta_path if not {getattr(f, '__name__', ''), type(f).__name__} & set(ours)
]
sys.modules.pop('shufflenet_det_startup', None)
"""
HOOK = f"""{NO_HOOK}
sys.path.insert(0, {str(PACKAGE / 'integration')!r})
{(PACKAGE / 'integration/shufflenet_det.pth').read_text()}
del sys.path[0]
"""
BUILT = """
from mmcv.ops import nms
from mmdet.registry import MODELS
assert 'FasterRCNN' in MODELS and 'LightHeadRCNN' in MODELS and 'ShuffleNetV2' in MODELS
"""


def run_python(code: str, *paths: Path) -> subprocess.CompletedProcess:
    """Runs code in a fresh interpreter that finds the given folders before all others."""
    path = os.pathsep.join([*map(str, paths), str(PACKAGE.parent)])
    return subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS='1'),
    )


@pytest.mark.parametrize(
    'code',
    [
        NO_HOOK + 'import shufflenet_det, mmdet.models',
        HOOK + 'import mmdet.utils, mmdet.apis, mmdet.models, shufflenet_det',
        NO_HOOK
        + """
try:
    import mmdet.models
except ModuleNotFoundError:
    pass
import shufflenet_det""",
    ],
    ids=['shufflenet_det_first', 'mmdet_first', 'mmdet_first_without_hook'],
)
def test_import_order_does_not_matter(code: str) -> None:
    done = run_python(code + BUILT)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def fake_mmcv(tmp_path: Path) -> Path:
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv/__init__.py').touch()
    return tmp_path


def test_compiled_extension_wins(fake_mmcv: Path) -> None:
    (fake_mmcv / 'mmcv/_ext.py').write_text('COMPILED = True')
    done = run_python(HOOK + 'import mmcv._ext; assert mmcv._ext.COMPILED is True', fake_mmcv)
    assert done.returncode == 0, done.stderr


def test_hook_imports_nothing_and_serves_the_extension(fake_mmcv: Path) -> None:
    done = run_python(
        HOOK + 'from importlib.util import find_spec; print(find_spec("mmcv._ext").origin);'
        'assert not {"torch", "shufflenet_det"} & set(sys.modules)',
        fake_mmcv,
    )
    assert done.stdout.strip() == str(PACKAGE / 'integration/mmcv_ops/__init__.py'), done.stderr


def test_hook_without_the_package_changes_nothing(fake_mmcv: Path) -> None:
    hide = 'sys.modules["shufflenet_det"] = None\n'
    done = run_python(NO_HOOK + hide + HOOK + '\nimport mmcv\nimport mmcv._ext', fake_mmcv)
    assert done.stderr.strip().endswith("ModuleNotFoundError: No module named 'mmcv._ext'")


def test_installation_carries_the_hook() -> None:
    site_packages = Path(sysconfig.get_path('purelib'))
    if not list(site_packages.glob('shufflenet_det-*.dist-info')):
        pytest.skip('shufflenet_det is on the path but not installed')
    for name in ('shufflenet_det.pth', 'shufflenet_det_startup.py'):
        assert (site_packages / name).read_text() == (PACKAGE / 'integration' / name).read_text()


def test_hook_is_one_line_that_imports_one_module() -> None:
    (line,) = (PACKAGE / 'integration/shufflenet_det.pth').read_text().splitlines()
    assert line == 'import shufflenet_det_startup'


@pytest.mark.parametrize('times', [1, 3])
def test_hook_acts_once_however_often_it_is_read(times: int) -> None:
    count = 'print([type(f).__name__ for f in sys.meta_path].count("AmendingFinder"),'
    count += '[getattr(f, "__name__", "") for f in sys.meta_path].count("MmcvExtFinder"))'
    done = run_python(
        HOOK + (PACKAGE / 'integration/shufflenet_det.pth').read_text() * times + count
    )
    assert done.stdout.split() == ['1', '1'], done.stderr


@pytest.mark.parametrize(
    'ruin', [lambda folder: None, lambda folder: (folder / 'config_scope.py').write_text('')],
    ids=['no files', 'another version'],
)  # fmt: skip
def test_hook_of_a_ruined_package_stops_nothing(ruin, tmp_path: Path) -> None:
    """Of an uninstallation that left the .pth, or of another version of the package."""
    folder = tmp_path / 'shufflenet_det/integration'
    folder.mkdir(parents=True)
    (tmp_path / 'shufflenet_det/__init__.py').touch()
    ruin(folder)
    done = run_python(HOOK + 'from mmengine.config import Config; print(Config.__name__)', tmp_path)
    assert done.stdout.strip() == 'Config', done.stderr


READ_CONFIG = """
from mmengine.config import Config
cfg = Config.fromfile('mine.py', import_custom_modules=False)
print(cfg.model.backbone.type)
"""


@pytest.mark.parametrize(
    'base, backbone',
    [
        ('shufflenet_det::lighthead_snv2.py', 'ShuffleNetV2'),
        ('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'ResNet'),
    ],
)
def test_config_is_found_before_the_package_is_imported(
    base: str, backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text(f"_base_ = '{base}'\n")
    done = run_python(HOOK + READ_CONFIG)
    assert done.stdout.split()[-1:] == [backbone], done.stderr


def test_our_config_needs_the_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text("_base_ = 'shufflenet_det::lighthead_snv2.py'\n")
    assert run_python(NO_HOOK + READ_CONFIG).returncode == 1


def test_config_hook_imports_nothing() -> None:
    done = run_python(HOOK + 'import mmengine.config as m; print("shufflenet_det" in sys.modules)')
    assert done.stdout.strip() == 'False', done.stderr


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """What `pip install --target` leaves: a folder on the path whose .pth files nobody reads."""
    (tmp_path / PACKAGE.name).symlink_to(PACKAGE)
    for name in ('shufflenet_det.pth', 'shufflenet_det_startup.py'):
        (tmp_path / name).write_bytes((PACKAGE / 'integration' / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    'first', ['import shufflenet_det', 'import site; site.addsitedir({target!r})']
)
def test_installed_into_a_target_folder(first: str, target: Path) -> None:
    code = f'{NO_HOOK}{first.format(target=str(target))}\nimport mmdet.apis, shufflenet_det{BUILT}'
    done = run_python(code, target)
    assert done.returncode == 0, done.stderr


GET_MODEL = """
import mmengine.hub
model = mmengine.hub.get_model('shufflenet_det::demo/lighthead_snv2_demo.py')
print(type(model).__name__)
"""


@pytest.mark.parametrize('first', ['import shufflenet_det', ''], ids=['imported', 'not imported'])
def test_model_of_a_config_name(first: str) -> None:
    done = run_python(f'{HOOK}\n{first}\n{GET_MODEL}')
    assert done.stdout.split()[-1:] == ['LightHeadRCNN'], done.stderr

"""What importing the package, a backbone, the runtime and a training change in the process."""

import json
import subprocess
import sys

import pytest
from paths import ROOT

from shufflenet_det.integration.amendments import AMENDMENTS
from shufflenet_det.integration.registration import LOCATIONS

STATE = """
import os, sys, json, warnings
forks = []
own = os.register_at_fork
def register_at_fork(**handlers):
    forks.append(sys._getframe(1).f_globals['__name__'])
    own(**handlers)
os.register_at_fork = register_at_fork

import matplotlib, mmdet.registry, mmengine.registry, mmengine.runner, torch
from mmengine.runner.checkpoint import CheckpointLoader
matplotlib.rcParams._get('backend')

def wrapped(function):
    return 1 + wrapped(function.__wrapped__) if hasattr(function, '__wrapped__') else 0

def state():
    registries = {
        f'{home.__name__}.{name}': getattr(home, name)
        for home in (mmengine.registry, mmdet.registry) for name in LOCATIONS
    }
    return dict(
        finders=[getattr(f, '__name__', type(f).__name__) for f in sys.meta_path],
        locations={key: len(r._locations) for key, r in registries.items()},
        classes={key: len(r.module_dict) for key, r in registries.items()},
        wrapped=[wrapped(r.MODELS.build_func) for r in (mmengine.registry, mmdet.registry)],
        schemes={key: getattr(value, '__qualname__', '')
                 for key, value in CheckpointLoader._schemes.items()},
        safe_globals=[str(g) for g in torch.serialization.get_safe_globals()
                      if not getattr(g, '__module__', '').startswith('torch')],  # its own grow
        forks=[name for name in forks if name.startswith('shufflenet_det')],
        filters=len(warnings.filters),
        backend=str(dict.__getitem__(matplotlib.rcParams, 'backend')),
        threads=torch.get_num_threads(),
        modules=[m for m in ('shufflenet_det.bench', 'shufflenet_det.training', 'mmdet.models')
                 if m in sys.modules],
    )
"""


def python(code: str) -> str:
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def effects(*imports: str) -> list[dict]:
    """The state of a fresh process before and after each statement."""
    steps = ''.join(f'{statement}\nstates.append(state())\n' for statement in imports)
    code = f'LOCATIONS = {list(LOCATIONS)!r}\n{STATE}\nstates = [state()]\n{steps}'
    return json.loads(python(code + 'print(json.dumps(states))'))


def test_importing_the_package_only_tells_the_registries_where_its_modules_are() -> None:
    forget = (
        "[sys.modules.pop(m) for m in list(sys.modules) if m.split('.')[0] == 'shufflenet_det']"
    )
    before, once, twice = effects('import shufflenet_det', f'{forget}\nimport shufflenet_det')
    added = {key: once['locations'][key] - count for key, count in before['locations'].items()}
    assert added == {key: len(LOCATIONS[key.rpartition('.')[2]]) for key in added}
    assert set(once['finders']) - set(before['finders']) <= {'AmendingFinder', 'MmcvExtFinder'}
    changed = {key for key in before if before[key] != once[key]} - {'finders', 'locations'}
    assert changed == {'wrapped'} and once['wrapped'] == [1, 1]
    assert {key for key in once if once[key] != twice[key]} <= {'finders'}


TRAIN = """
from mmengine.runner import Runner
from shufflenet_det.data import generate
import tempfile
root = tempfile.mkdtemp()
generate(root + '/set', num_train=2, num_val=1)
def train():
    from shufflenet_det.training.launch import load_config
    cfg = load_config('configs/demo/lighthead_snv2_demo.py', {
        'data_root': root + '/set', 'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False, 'train_dataloader.batch_size': 2,
        'val_dataloader.num_workers': 0, 'val_dataloader.persistent_workers': False,
        'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 5, 'model.backbone.arch': '0.5x'})
    cfg.work_dir = root + '/work'
    Runner.from_cfg(cfg).train()
"""


def test_a_training_leaves_nothing_behind() -> None:
    """The first one imports what it needs; compared are the second and the third."""
    run = 'train()'
    states = effects('import shufflenet_det', TRAIN, run, run, run)
    assert states[-2] == states[-1]
    for key in ('backend', 'forks', 'safe_globals', 'schemes'):
        assert states[-1][key] == states[0][key], key
    assert 'shufflenet_det.bench' not in states[-1]['modules']


HEAVY = ('torch', 'mmengine', 'mmcv', 'mmdet', 'matplotlib', 'pycocotools')


@pytest.mark.parametrize(
    'statement',
    [
        'import shufflenet_det',
        'from shufflenet_det.archs import out_channels',
        'from shufflenet_det.backbones.peers import NETWORKS',
        'from shufflenet_det.deploy.runtime import Detector',
    ],
)
def test_imports_nothing_heavy(statement: str) -> None:
    loaded = python(f'{statement}\nimport sys\nprint([m for m in {HEAVY} if m in sys.modules])')
    assert loaded == '[]'


@pytest.mark.parametrize('hidden', [('mmcv',), ('mmdet', 'mmengine', 'mmcv', 'torch')])
def test_runtime_works_without(hidden: tuple[str, ...]) -> None:
    hide = f'import sys\nsys.modules.update(dict.fromkeys({hidden!r}))\n'
    assert python(hide + 'from shufflenet_det.deploy.runtime import Detector\nprint(1)') == '1'


@pytest.mark.parametrize('name', ['LightHeadRCNN', 'SEShuffleNetV2', 'ShuffleNetV2'])
def test_classes_stand_in_the_package_by_name(name: str) -> None:
    import shufflenet_det

    assert getattr(shufflenet_det, name).__name__ == name and name in dir(shufflenet_det)


def test_unknown_name_is_an_attribute_error() -> None:
    import shufflenet_det

    with pytest.raises(AttributeError, match="'shufflenet_det' has no attribute 'nothing'"):
        shufflenet_det.nothing  # noqa: B018


def test_modules_already_asked_for_are_registered_at_once() -> None:
    code = """
from mmdet.registry import MODELS
MODELS.get('FasterRCNN')
import shufflenet_det
print('ShuffleNetV2' in MODELS.module_dict)"""
    assert python(f'{SEEN_BY_PTH}{code}') == 'True'


SEEN_BY_PTH = 'import shufflenet_det.integration.shufflenet_det_startup as s; s.install()'
"""mmdet's models need mmcv's ops, which an installation's .pth answers for."""


def test_page_lists_every_change() -> None:
    page = (ROOT / 'shufflenet_det/integration/README.md').read_text()
    for row in AMENDMENTS:
        assert f'| `{row.module}` | {row.reason} |' in page, row

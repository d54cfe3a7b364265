"""Trainings on photographs: a tiny generated set goes through the runner from end to end."""

import json
import os
from functools import reduce
from operator import getitem
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.dataset import Compose
from paths import RESULTS, ROOT, TOOLS

from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.bench.photos import runner, training
from shufflenet_det.bench.photos.evaluation import on_split, proposal_recall
from shufflenet_det.bench.photos.plan import OURS, PEERS, PLANS, RATES, SLOW, SLOW_RATE, Plan
from shufflenet_det.bench.photos.steps import FRONTIER, RATE
from shufflenet_det.bench.photos.training import Run
from shufflenet_det.bench.plots import figures_of
from shufflenet_det.bench.views import tables_of
from shufflenet_det.data import generate
from shufflenet_det.data.photos import PHOTO_SETS, SPLITS, photo_set
from shufflenet_det.training.launch import load_config

PLAN = Plan(lambda: [], 'photos', ('val', 'test'))
SHORT = {
    'train_dataloader.batch_size': 2, 'train_cfg.val_interval': 1, 'param_scheduler.0.end': 2,
    'default_hooks.checkpoint.interval': 1, 'default_hooks.logger.interval': 1,
}  # fmt: skip


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """A folder with a set named and labelled as bccd: generated shapes of its three classes."""
    folder = tmp_path_factory.mktemp('photos')
    made = generate(folder / 'bccd', num_train=4, num_val=3)
    for split, source in zip(SPLITS, ('train', 'val', 'val'), strict=True):
        content = json.loads((made.root / f'annotations/instances_{source}.json').read_text())
        classes = PHOTO_SETS['bccd'].classes
        content['categories'] = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
        for annotation in content['annotations']:
            annotation['category_id'] = 1 + annotation['category_id'] % len(classes)
        (made.root / f'annotations/instances_{split}.json').write_text(json.dumps(content))
    (made.root / 'test').symlink_to(made.root / 'val')
    return folder


@pytest.fixture(scope='module')
def places(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp('work')
    return runner.Places(root, folder, folder / 'photos.json', TOOLS / 'train.py')


@pytest.fixture(scope='module')
def result(places):
    """Ours, and a detector whose training fails."""
    weights = places.work / 'weights.pth'
    torch.save(ShuffleNetV2(out_indices=(1, 2, 3)).state_dict(), weights)
    changes = SHORT | {
        'model.backbone.init_cfg.checkpoint': str(weights), 'model.neck.init_cfg': None,
    }  # fmt: skip
    runs = [
        Run('bccd', 'lighthead_fpn_1.0x_320', 0, 1, changes),
        Run('bccd', 'gfl_1.0x_320', 0, 1, changes | {'model.bbox_head.reg_max': -3}),
    ]
    return runner.run_all(runs, PLAN, places, jobs=2)


def test_every_row_is_kept(result):
    lost = {row['config']: row.get('error') for row in result['rows']}
    assert lost['lighthead_fpn_1.0x_320'] is None and 'negative' in lost['gfl_1.0x_320']


def test_row_says_what_was_measured(result):
    row = next(row for row in result['rows'] if 'error' not in row)
    for split in PLAN.splits:
        assert set(row[split]) == {'AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'recall'}
        assert 0 <= row[split]['recall']['100'] <= row[split]['recall']['300'] <= 1
    assert row['cpu_ms'] > 0 and row['parameters'] > 1e6 and row['macs'] > 1e8
    assert [point['epoch'] for point in row['curve']] == [1]
    assert [point['iteration'] for point in row['losses']] == [1, 2]
    assert all(point['loss'] > 0 for point in row['losses'])
    assert row['commit'] == result['environment']['commit'] and row['cpu_seconds'] > 1


def test_time_of_a_process_that_was_not_seen_to_end_is_unknown(tmp_path):
    line = json.dumps(dict(commit='abc', returncode=0, seconds=2.0, cpu_seconds=1.0))
    (tmp_path / training.ATTEMPTS).write_text(line + '\n')
    (tmp_path / 'first/vis_data').mkdir(parents=True)
    assert training.attempts(tmp_path)['cpu_seconds'] == 1.0
    (tmp_path / 'second/vis_data').mkdir(parents=True)
    assert training.attempts(tmp_path) == dict(
        commit='abc', device=None, seconds=None, cpu_seconds=None
    )


def test_splits_are_told_apart():
    cfg = load_config(ROOT / 'configs/photos/lighthead_fpn_1.0x_320.py')
    for split in ('val', 'test'):
        chosen = on_split(cfg, split)
        name = f'instances_{split}.json'
        assert chosen.test_dataloader.dataset.ann_file.endswith(name)
        assert chosen.test_evaluator.ann_file.endswith(name)


def test_one_stage_detector_has_no_recall_of_proposals():
    register_all_modules()
    cfg = load_config(ROOT / 'configs/photos/gfl_1.0x_320.py')
    assert proposal_recall(SimpleNamespace(model=MODELS.build(cfg.model))) == {}


def test_table_has_lost_rows_and_spread(result):
    whole = next(row for row in result['rows'] if 'error' not in row)
    seeds = [
        whole | dict(seed=s, test=whole['test'] | dict(AP=ap)) for s, ap in ((1, 0.5), (2, 0.7))
    ]
    lost = [row for row in result['rows'] if 'error' in row]
    (table,) = tables_of(dict(result, rows=seeds + lost))
    ours, lost = table.rows
    assert ours[:2] == ('lighthead_fpn_1.0x_320', 2)
    assert ours[2] == 1 and ours[3:5] == pytest.approx((0.6, 0.02**0.5))
    assert lost[:3] == ('gfl_1.0x_320', 0, None) and lost[-1]
    assert len(ours) == len(lost) == len(table.header)


def test_curves_are_drawn(result):
    assert list(figures_of(result)) == ['bccd while training']


def test_losses_are_drawn_where_one_setting_changes(result):
    whole = next(row for row in result['rows'] if 'error' not in row)
    steps = [whole | dict(step='the recipe'), whole | dict(step='no clipping')]
    figures = figures_of(dict(result, rows=steps))
    assert list(figures) == ['bccd while training', 'loss on bccd']
    for figure in figures.values():
        assert [line.get_label() for line in figure.axes[0].lines] == ['the recipe', 'no clipping']


def test_second_call_trains_only_what_was_lost(result, places, monkeypatch):
    tried = []

    def train(run, *_):
        tried.append(run.name)
        raise training.TrainingFailed('again')

    monkeypatch.setattr(runner, 'train', train)
    runs = [Run('bccd', row['config'], row['seed'], 1) for row in result['rows']]
    again = runner.run_all(runs, PLAN, places, jobs=1)
    assert tried == ['bccd-gfl_1.0x_320-1ep-seed0']
    assert len(again['rows']) == len(result['rows'])


@pytest.mark.parametrize('plan', PLANS.values(), ids=PLANS)
def test_rows_of_a_plan_are_known_and_unique(plan):
    runs = list(plan.rows())
    assert len({run.name for run in runs}) == len(runs)
    for run in runs:
        assert run.data in PHOTO_SETS
        assert (ROOT / f'configs/{"custom" if run.images else "photos"}/{run.config}.py').is_file()


SEEDS_DIFFER = 0.03
STEPS = [
    run
    for name in ('recipe', 'augmentation', 'switches', 'backbones')
    for run in PLANS[name].rows()
]


def test_the_one_learning_rate_is_behind_none_by_more_than_seeds_differ():
    result = json.loads((RESULTS / 'photos_rates.json').read_text(encoding='utf-8'))
    tried = {}
    for row in result['rows']:
        reached = tried.setdefault((row['data'], row['config']), {})
        reached[row['changes'][RATE]] = row['val']['AP']
    searched = {config for data, config in tried if data == 'bccd'}
    assert searched == {OURS, *PEERS}
    for (data, config), reached in tried.items():
        margin = SEEDS_DIFFER if data == 'bccd' else 0
        assert reached[RATES[0]] >= max(reached.values()) - margin, (data, config)
        assert (SLOW_RATE in reached) == (data == 'bccd' and config in SLOW)
        assert SLOW_RATE not in reached or min(reached, key=reached.get) == SLOW_RATE
    for path in (ROOT / 'configs/photos').glob('*.py'):
        assert load_config(path).optim_wrapper.optimizer.lr == RATES[0], path.name


@pytest.mark.parametrize('run', STEPS, ids=lambda run: f'{run.data} {run.step}')
def test_every_step_can_be_built(run, tmp_path):
    cfg = load_config(training.begin(run, tmp_path, 'photos'))
    assert cfg.train_cfg.max_epochs == (run.epochs or PHOTO_SETS[run.data].epochs)
    assert cfg.data_root == f'photos/{run.data}' and 'PHOTOS_SET' not in os.environ
    for key, value in run.changes.items():
        parts = [int(part) if part.isdigit() else part for part in key.split('.')]
        if parts[-1] != '_delete_':
            assert reduce(getitem, parts, cfg) == value
    register_all_modules()
    MODELS.build(cfg.model)
    Compose(cfg.train_dataloader.dataset.pipeline)


def test_own_folder_has_as_many_images_as_asked_for(root, tmp_path):
    run = Run('bccd', 'my_photos', 1, changes={'own_photos.start': 'scratch'}, images=3)
    cfg = load_config(training.begin(run, tmp_path, root))
    found = [json.loads((tmp_path / f'own_photos/{s}.json').read_text()) for s in SPLITS]
    assert [len(split['images']) for split in found] == [2, 1, 3]
    assert cfg.model.backbone.init_cfg is None and cfg.randomness.seed == 1


def test_unknown_set_is_named():
    with pytest.raises(ValueError, match='aquarium'):
        photo_set('aquaria')


@pytest.mark.parametrize('name', PHOTO_SETS)
def test_table_of_sets_is_what_the_files_say(name, test_data):
    row = photo_set(name)
    for split, images in zip(SPLITS, row.images, strict=True):
        path = test_data / 'photos' / name / row.annotation_file(split)
        content = json.loads(path.read_text())
        assert len(content['images']) == images
        assert tuple(c['name'] for c in content['categories']) == row.classes


@pytest.mark.parametrize(
    ('name', 'epochs'), [('bccd', 24), ('aquarium', 24), ('fruits15', 18), ('dhaka_vehicles', 11)]
)
def test_epochs_fall_with_the_root_of_the_images(name, epochs):
    assert PHOTO_SETS[name].epochs == epochs


def test_networks_of_the_frontier_are_of_the_one_that_was_measured():
    measured = json.loads((RESULTS / 'choose_detector.json').read_text(encoding='utf-8'))
    assert set(FRONTIER) <= set(measured['frontier'])


def test_frontier_is_drawn_against_macs_and_time():
    result = json.loads((RESULTS / 'photos_frontier.json').read_text(encoding='utf-8'))
    (figure,) = figures_of(result).values()
    macs, ms = ([line.get_xdata()[0] for line in axes.lines] for axes in figure.axes)
    assert macs == [row['macs'] / 1e6 for row in result['rows']]
    assert ms == [row['cpu_ms'] for row in result['rows']]

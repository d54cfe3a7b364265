"""A folder of one's own: what is decided for it, what a config becomes, what is refused."""

import json
import shutil

import pytest
from data.own_sets import cvat, roboflow
from mmdet.registry import DATASETS, MODELS
from mmdet.utils import register_all_modules
from paths import ROOT

from shufflenet_det.checkpoints.download import cache_path
from shufflenet_det.data import CLASSES
from shufflenet_det.data.annotations import DataError
from shufflenet_det.training import starts
from shufflenet_det.training.launch import check_paths, load_config
from shufflenet_det.training.own_photos import Run

CONFIG = ROOT / 'configs/custom/my_photos.py'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('own') / 'set'
    roboflow(folder)
    return folder


@pytest.fixture
def load(root, tmp_path):
    """Settles the config for a training in tmp_path/work."""

    def loaded(resumes=False, data_root=root, **options):
        given = {'data_root': str(data_root), 'own_photos.start': 'scratch', **options}
        run = Run(str(tmp_path / 'work'), trains=True, resumes=resumes)
        return load_config(CONFIG, {k: v for k, v in given.items() if v is not None}, run=run)

    return loaded


def recall(tmp_path, **options):
    return load_config(CONFIG, options, run=Run.after(tmp_path / 'work/epoch_1.pth'))


def test_every_split_is_that_of_the_folder(load, root):
    register_all_modules()
    cfg = load()
    check_paths(cfg, ('train', 'val', 'test'))
    for split, number in (('train', 6), ('val', 2), ('test', 2)):
        dataset = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
        assert len(dataset) == number and dataset.metainfo['classes'] == tuple(sorted(CLASSES))
        assert dataset.get_data_info(0)['img_path'].startswith(str(root))
        if split != 'train':
            assert cfg[f'{split}_evaluator'].ann_file == dataset.ann_file
    assert cfg.model.roi_head.bbox_head.num_classes == len(CLASSES)


def test_schedule_and_input_are_as_decided(load):
    cfg = load(**{'own_photos.epochs': 30, 'own_photos.size': 96, 'own_photos.batch_size': 3})
    assert (cfg.train_cfg.max_epochs, cfg.train_cfg.val_interval) == (30, 3)
    assert cfg.train_dataloader.batch_size == 3
    assert cfg.param_scheduler[-1].T_max == cfg.param_scheduler[-1].end == 30
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        (scale,) = (step.scale for step in loader.dataset.pipeline if 'scale' in step)
        assert scale == (96, 96)


def test_single_settings_win(load):
    assert load(**{'optim_wrapper.optimizer.lr': 0.5}).optim_wrapper.optimizer.lr == 0.5


def test_every_decision_is_said(load, capsys, root):
    load()
    said = capsys.readouterr().out
    for line in (f'annotations: layout roboflow in {root}', "'train': 6, 'val': 2, 'test': 2",
                 'classes: 8, crescent, cross', 'batch_size: 2; ', 'epochs: 334; 1002 steps',
                 'lr: ', 'size: 320; ', 'start: scratch; '):  # fmt: skip
        assert line in said


def test_written_config_is_settled(load, tmp_path):
    load().dump(tmp_path / 'written.py')
    written = load_config(tmp_path / 'written.py')
    assert 'own_photos' not in written
    check_paths(written, ('train', 'val', 'test'))


def test_resumed_and_tested_on_the_same_split(load, tmp_path):
    first = load()
    shown = first.pretty_text
    assert load(resumes=True).pretty_text == shown
    assert recall(tmp_path).pretty_text == shown


@pytest.mark.parametrize('given', [False, True])
def test_tested_on_the_same_split_from_another_folder(load, tmp_path, monkeypatch, root, given):
    monkeypatch.chdir(root.parent)
    first = load(data_root=root.name)
    monkeypatch.chdir(tmp_path)
    cfg = recall(tmp_path, **(dict(data_root=str(root)) if given else {}))
    assert cfg.test_dataloader.dataset.ann_file == first.test_dataloader.dataset.ann_file
    assert cfg.data_root == cfg.test_dataloader.dataset.data_root == str(root)


def test_split_is_kept_when_images_come_later(tmp_path, load):
    cvat(tmp_path / 'grown')
    before = load(data_root=tmp_path / 'grown')
    content = json.loads((tmp_path / 'grown/annotations/instances_default.json').read_text())
    new = dict(content['images'][0], id=99, file_name='new.jpg')
    content['images'].append(new)
    shutil.copy(tmp_path / 'grown/images/000002.jpg', tmp_path / 'grown/images/new.jpg')
    (tmp_path / 'grown/annotations/instances_default.json').write_text(json.dumps(content))
    assert recall(tmp_path).pretty_text == before.pretty_text
    with pytest.raises(DataError, match='its images, or their split, are not those'):
        load(resumes=True, data_root=tmp_path / 'grown')


def other_names(root, names):
    path = root / 'annotations/instances_default.json'
    content = json.loads(path.read_text())
    for category in content['categories']:
        category['name'] = names.get(category['name'], category['name'])
    path.write_text(json.dumps(content))


@pytest.mark.parametrize('names, known', [({}, True), ({'disk': 'wheel'}, False)])
def test_other_folder(tmp_path, load, names, known):
    load()
    other = tmp_path / 'other'
    cvat(other)
    other_names(other, names)
    if known:
        cfg = recall(tmp_path, data_root=str(other))
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
        assert len(dataset) == 10 and dataset.metainfo['classes'] == tuple(sorted(CLASSES))
        return
    with pytest.raises(DataError, match=r"objects of \['wheel'\].*does not know"):
        recall(tmp_path, data_root=str(other))
    with pytest.raises(DataError, match=r"classes are .*'wheel'.*those of the training"):
        load(resumes=True, data_root=other)


def test_other_folder_may_hold_a_test_split_alone(tmp_path, load, root):
    load()
    shutil.copytree(root / 'test', tmp_path / 'other/test')
    cfg = recall(tmp_path, data_root=str(tmp_path / 'other'))
    assert len(DATASETS.build(cfg.test_dataloader.dataset)) == 2


def test_config_without_a_training_says_what_to_give(tmp_path):
    with pytest.raises(ValueError, match=r'work_dirs/my_photos/my_photos.py'):
        load_config(CONFIG)
    with pytest.raises(ValueError, match=r'decided.json: No such file.*Train first'):
        recall(tmp_path)


def test_unknown_field_is_named(load):
    with pytest.raises(ValueError, match=r"own_photos has no \['epoch'\]; it takes .*'epochs'"):
        load(**{'own_photos.epoch': 3})


def test_key_without_a_field_is_named(load):
    with pytest.raises(ValueError, match=r"own_photos has no \['own_photos'\]; it takes"):
        load(own_photos=30)


def test_another_detector_needs_none_of_the_fields(root, tmp_path):
    base = ROOT / 'configs/photos/gfl_1.0x_320.py'
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = [{str(base)!r}]\nown_photos = dict(start='scratch', epochs=3)\n")
    run = Run(str(tmp_path / 'work'), trains=True)
    cfg = load_config(path, dict(data_root=str(root)), run=run)
    assert cfg.train_cfg.max_epochs == 3 and cfg.model.bbox_head.num_classes == len(CLASSES)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of downloads, and no network."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))

    def no_network(url, path):
        raise OSError('no network')

    monkeypatch.setattr('shufflenet_det.checkpoints.download._fetch', no_network)
    monkeypatch.delenv('NANODET_PLUS', raising=False)  # weights that are at hand without a cache


def cached(url):
    cache_path(url).parent.mkdir(parents=True, exist_ok=True)
    cache_path(url).touch()


IMAGENET = 'https://download.pytorch.org/models/shufflenetv2_x1-5666bf0f80.pth'


@pytest.mark.parametrize('at_hand', ['coco', 'imagenet', 'scratch'])
def test_best_weights_at_hand_are_taken(load, cache, capsys, at_hand):
    register_all_modules()
    plain = load_config(ROOT / 'configs/photos/lighthead_fpn_1.0x_320.py')
    coco = plain.model.backbone.init_cfg.checkpoint
    for url in dict(coco=[coco, IMAGENET], imagenet=[IMAGENET], scratch=[])[at_hand]:
        cached(url)
    own = load(**{'own_photos.start': None})
    assert f'start: {at_hand}; ' in capsys.readouterr().out
    backbone = own.model.backbone
    wanted = dict(coco=coco, imagenet='torchvision://shufflenet_v2_x1_0', scratch=None)[at_hand]
    assert (backbone.init_cfg or {}).get('checkpoint') == wanted
    assert own.model.data_preprocessor.bgr_to_rgb == (at_hand == 'imagenet')
    if at_hand == 'scratch':
        assert MODELS.build(own.model) and backbone.frozen_stages == -1


def test_given_weights_take_the_place_of_pretrained_ones(load):
    cfg = load(**{'own_photos.start': None, 'load_from': 'mine.pth'})
    assert cfg.load_from == 'mine.pth' and cfg.model.backbone.init_cfg is None
    assert cfg.model.neck.get('init_cfg') is None


def test_unknown_start_is_named(load):
    with pytest.raises(ValueError, match=rf'start=best is not known.*{list(starts.STARTS)[0]}'):
        load(**{'own_photos.start': 'best'})

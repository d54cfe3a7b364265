"""The protections in a config of MMDetection itself, by custom_imports and one hook."""

import json
import os
import shutil

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from shufflenet_det.training import (
    CheckedLoadImage,
    DataError,
    ResumableTrainLoop,
    SafeCheckpointHook,
    SafeCocoMetric,
)


def test_one_hook_puts_every_protection_in_place(cfg, tmp_path):
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert isinstance(runner.train_loop, ResumableTrainLoop)
    assert isinstance(runner.train_dataloader.dataset.pipeline.transforms[0], CheckedLoadImage)
    assert isinstance(runner.val_loop.evaluator.metrics[0], SafeCocoMetric)
    assert sum(isinstance(hook, SafeCheckpointHook) for hook in runner._hooks) == 1
    assert (tmp_path / 'work/last_checkpoint').read_text() == str(tmp_path / 'work/epoch_1.pth')


@pytest.fixture
def by_iteration(cfg):
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=3, val_interval=3)
    cfg.default_hooks.checkpoint.update(interval=2, by_epoch=False)
    return cfg


def test_iteration_loop_keeps_verified_checkpoints_and_falls_back(by_iteration, tmp_path):
    Runner.from_cfg(by_iteration).train()
    work = tmp_path / 'work'
    (work / 'iter_3.pth').write_bytes(b'torn')
    by_iteration.update(resume=True, experiment_name='resumed')
    by_iteration.train_cfg.update(max_iters=4, val_interval=4)
    runner = Runner.from_cfg(by_iteration)
    runner.train()
    assert runner._load_from == str(work / 'iter_2.pth')
    assert runner.iter == 4 and (work / 'iter_4.pth').is_file()


def test_iteration_loop_checks_the_data_first(by_iteration):
    by_iteration.train_dataloader.dataset.metainfo = dict(classes=('cat', 'dog'))
    with pytest.raises(DataError, match=r"(?s)'cat', 'dog'.*'disk'"):
        Runner.from_cfg(by_iteration).train()


def test_class_names_unlike_the_file_stop_before_step_1(cfg):
    cfg.train_dataloader.dataset.metainfo = dict(classes=('cat', 'dog'))
    with pytest.raises(DataError, match=r"(?s)'cat', 'dog'.*'disk'"):
        Runner.from_cfg(cfg).train()


def test_num_classes_unlike_the_data_stops_before_step_1(cfg):
    cfg.model.bbox_head.num_classes = 80
    with pytest.raises(DataError, match=r'model\.bbox_head\.num_classes=80.*8 classes'):
        Runner.from_cfg(cfg).train()


def rewrite(dataset, evaluator, path, change):
    """Change an annotation file for the data set and the metric that read it."""
    content = json.loads(open(dataset.ann_file).read())
    change(content)
    path.write_text(json.dumps(content))
    dataset.ann_file = str(path)
    if evaluator:
        evaluator.ann_file = str(path)


def reverse_categories(content):
    """The same names, in another order and under other ids."""
    last = len(content['categories'])
    for category in content['categories']:
        category['id'] = last - category['id']
    for annotation in content['annotations']:
        annotation['category_id'] = last - annotation['category_id']
    content['categories'].reverse()


def without_iscrowd(content):
    for annotation in content['annotations']:
        del annotation['iscrowd']
        annotation['id'] -= 1


@pytest.mark.parametrize('change', [reverse_categories, without_iscrowd])
def test_labels_follow_names_and_evaluation_reads_what_training_does(cfg, tmp_path, change):
    runner = Runner.from_cfg(cfg)
    plain = [runner.build_dataloader(cfg[f'{s}_dataloader']).dataset for s in ('train', 'val')]
    rewrite(cfg.train_dataloader.dataset, None, tmp_path / 'train.json', change)
    rewrite(cfg.val_dataloader.dataset, cfg.val_evaluator, tmp_path / 'val.json', change)
    cfg.experiment_name = f'{change.__name__}'
    runner = Runner.from_cfg(cfg)
    runner.train()
    for before, after in zip(
        plain, (runner.train_dataloader.dataset, runner.val_loop.dataloader.dataset), strict=True
    ):
        for index in range(len(before)):
            assert (
                before.get_data_info(index)['instances']
                == (after.get_data_info(index)['instances'])
            )
    (metric,) = runner.val_loop.evaluator.metrics
    names = [c['name'] for c in metric._coco_api.load_cats(metric.cat_ids)]
    assert names == list(metric.dataset_meta['classes'])
    assert min(metric._coco_api.anns) == 1


class SpoilWeight(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        head = runner.model.bbox_head
        self.before = head.retina_reg.weight.clone()
        head.retina_cls.weight.data.fill_(torch.nan)


def test_nan_stops_before_the_step_and_names_the_images(cfg, tmp_path):
    runner = Runner.from_cfg(cfg)
    spoil = SpoilWeight()
    runner.register_hook(spoil)
    with pytest.raises(FloatingPointError, match='iteration 0: .*loss_cls'):
        runner.train()
    assert torch.equal(runner.model.bbox_head.retina_reg.weight, spoil.before)
    report = json.loads((tmp_path / 'work/non_finite_iter_0_rank_0.json').read_text())
    assert len(report['images']) == 2
    assert not list((tmp_path / 'work').glob('*.pth'))


def test_unknown_policy_is_an_error(cfg):
    cfg.custom_hooks[0].unreadable_images = 'ignore'
    with pytest.raises(ValueError, match="unreadable_images='ignore'"):
        Runner.from_cfg(cfg)


class SpoilBoxes(Hook):
    """Predicts NaN, as a model does whose box branch has diverged."""

    def before_val_epoch(self, runner):
        runner.model.bbox_head.retina_reg.bias.data.fill_(torch.nan)


@pytest.mark.parametrize(
    'evaluator', [dict(type='CocoMetric'), dict(type='DumpDetResults', out_file_path='out.pkl')]
)
def test_undefined_predictions_reach_no_metric(cfg, tmp_path, monkeypatch, evaluator):
    monkeypatch.chdir(tmp_path)
    cfg.val_evaluator.update(evaluator)
    if evaluator['type'] != 'CocoMetric':
        del cfg.val_evaluator['ann_file']
    cfg.model.test_cfg.update(score_thr=0.0, min_bbox_size=-1, nms=None)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(SpoilBoxes())
    with pytest.raises(ValueError, match='image 1: .* predictions rejected, box is not finite'):
        runner.train()
    assert not (tmp_path / 'out.pkl').exists()


def unreadable(cfg, data, tmp_path, count):
    """Let the first images of the training be empty files."""
    folder = tmp_path / 'images'
    shutil.copytree(data.image_dir('train'), folder)
    for path in sorted(folder.iterdir())[:count]:
        path.write_bytes(b'')
    cfg.train_dataloader.dataset.data_prefix.img = str(folder)


@pytest.mark.parametrize('loop', ['EpochBasedTrainLoop', 'IterBasedTrainLoop'])
@pytest.mark.parametrize('workers', [0, 2])
def test_skipped_images_are_counted(cfg, data, tmp_path, loop, workers):
    unreadable(cfg, data, tmp_path, 2)
    cfg.custom_hooks[0].unreadable_images = 'skip'
    cfg.train_dataloader.num_workers = workers
    if loop == 'IterBasedTrainLoop':
        cfg.train_cfg = dict(type=loop, max_iters=2, val_interval=10)
        cfg.default_hooks.checkpoint.by_epoch = False
    runner = Runner.from_cfg(cfg)
    said = []
    runner.logger.warning = said.append
    runner.train()
    (line,) = [line for line in said if 'were skipped' in str(line)]
    assert int(line.split(': ')[1].split()[0]) >= 2


def test_unreadable_image_ends_the_training_with_its_path(cfg, data, tmp_path):
    unreadable(cfg, data, tmp_path, 4)
    with pytest.raises(ValueError, match=r'images/.*\.jpg: the file is empty'):
        Runner.from_cfg(cfg).train()


def test_former_best_checkpoint_stays_until_the_new_one_is_there(cfg, tmp_path, monkeypatch):
    cfg.train_cfg.update(max_epochs=2, val_interval=1)
    cfg.default_hooks.checkpoint.update(save_best='coco/bbox_mAP', rule='greater')
    runner = Runner.from_cfg(cfg)
    values = iter([0.1, 0.2])
    evaluate = SafeCocoMetric.evaluate
    monkeypatch.setattr(
        SafeCocoMetric, 'evaluate', lambda *a: {**evaluate(*a), 'coco/bbox_mAP': next(values)}
    )
    save, seen = runner.save_checkpoint, []

    def observed(out_dir, filename, **kwargs):
        seen.append((filename, {path.name for path in (tmp_path / 'work').glob('best*')}))
        save(out_dir, filename, **kwargs)

    runner.save_checkpoint = observed
    runner.train()
    best = ['best_coco_bbox_mAP_epoch_1.pth', 'best_coco_bbox_mAP_epoch_2.pth']
    assert dict(seen)[best[1]] == {best[0]}
    assert [path.name for path in (tmp_path / 'work').glob('best*')] == [best[1]]


def test_nothing_to_resume_is_said(cfg):
    cfg.resume = True
    runner = Runner.from_cfg(cfg)
    said = []
    runner.logger.warning = said.append
    runner.train()
    assert any('nothing to resume, a new training' in str(line) for line in said)


class Payload:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('resume', [False, True])
def test_nothing_in_a_checkpoint_is_executed(cfg, tmp_path, resume):
    torch.save({'weight': torch.ones(1), 'hook': Payload(tmp_path / 'ran')}, tmp_path / 'net.pth')
    cfg.update(load_from=str(tmp_path / 'net.pth'), resume=resume)
    with pytest.raises(ValueError, match=r'net\.pth: .*mkdir, which loading would execute'):
        Runner.from_cfg(cfg).train()
    assert not (tmp_path / 'ran').exists()

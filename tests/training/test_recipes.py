"""Recipes with a state of their own: resumed bit for bit, or it is said that they are not."""

import pytest
from drill.checkpoint_rows import difference
from mmengine.runner import Runner
from test_iteration_resume import Terminate

from shufflenet_det.training import CheckedLoadImage

EPOCHS = 3  # of two batches
SIZE = (64, 64)
LAST = [dict(type='Resize', scale=SIZE, keep_ratio=True), dict(type='PackDetInputs')]


def switched_pipeline(cfg):
    """As in RTMDet: another pipeline for the last epochs, with data workers that stay."""
    steps = cfg.train_dataloader.dataset.pipeline
    hook = dict(
        type='PipelineSwitchHook',
        switch_epoch=2,
        switch_pipeline=[*steps[:3], dict(type='RandomFlip', prob=0.5), steps[3]],
    )
    cfg.custom_hooks.append(hook)
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)


def mosaic_until_the_end(cfg):
    """As in YOLOX: images are mixed but in the last epoch, sizes are drawn for a batch."""
    loader = cfg.train_dataloader
    inner = dict(loader.dataset, pipeline=loader.dataset.pipeline[:2])
    mixing = [
        dict(type='Mosaic', img_scale=SIZE, pad_val=114.0),
        dict(type='MixUp', img_scale=SIZE, ratio_range=(0.8, 1.6), pad_val=114.0),
    ]
    loader.dataset = dict(type='MultiImageMixDataset', dataset=inner, pipeline=mixing + LAST)
    cfg.custom_hooks.append(dict(type='YOLOXModeSwitchHook', num_last_epochs=1))
    random_size(cfg)


def random_size(cfg):
    resize = dict(type='BatchSyncRandomResize', random_size_range=(32, 96), interval=1)
    cfg.model.data_preprocessor.batch_augments = [resize]


def plateau(cfg):
    """Beside a schedule by iterations; of cut validations see test_cut_validation.py."""
    cfg.param_scheduler = [
        dict(type='ReduceOnPlateauLR', monitor='coco/bbox_mAP', rule='greater', patience=0),
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=5),
    ]


def fast_cpu(cfg):
    cfg.custom_hooks.append(dict(type='FastCPUHook'))


RECIPES = (switched_pipeline, mosaic_until_the_end, random_size, plateau, fast_cpu)


def train(cfg, folder, *hooks, resume=False):
    cfg = cfg.copy()
    cfg.update(work_dir=str(folder), resume=resume, experiment_name=f'{folder}-{resume}')
    runner = Runner.from_cfg(cfg)
    runner.said = []
    runner.logger.warning = lambda line: runner.said.append(str(line))
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


@pytest.fixture
def recipe(cfg):
    cfg.train_cfg.max_epochs = EPOCHS
    cfg.randomness = dict(seed=2)
    return cfg


@pytest.mark.parametrize('change', RECIPES, ids=lambda change: change.__name__)
def test_stopped_and_resumed_recipe_ends_as_without_a_pause(recipe, tmp_path, change):
    change(recipe)
    whole = train(recipe, tmp_path / 'whole')
    assert not [line for line in whole.said if 'bit-identical' in line]
    for at in (2, 4):  # in the second epoch and, behind the switches, in the third
        part = tmp_path / f'part{at}'
        with pytest.raises(SystemExit):
            train(recipe, part, Terminate(at))
        train(recipe, part, resume=True)
        last = f'epoch_{EPOCHS}.pth'
        assert difference(tmp_path / 'whole' / last, part / last) == []


def test_images_are_checked_behind_a_switch_too(recipe, tmp_path):
    switched_pipeline(recipe)
    runner = train(recipe, tmp_path / 'work')
    names = [type(step) for step in runner.train_dataloader.dataset.pipeline.transforms]
    assert len(names) == 5 and names[0] is CheckedLoadImage


@pytest.mark.parametrize('name', ['CachedMosaic', 'CachedMixUp'])
def test_what_workers_remember_is_said_to_be_lost(recipe, tmp_path, name):
    step = dict(type=name, img_scale=SIZE, pad_val=114.0, max_cached_images=4)
    recipe.train_dataloader.dataset.pipeline.insert(2, step)
    recipe.train_cfg.max_epochs = 1
    said = train(recipe, tmp_path / 'work').said
    (line,) = [line for line in said if 'bit-identical' in line]
    assert line.startswith(f'{name} mix images with those that their data worker loaded before')

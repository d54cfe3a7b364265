"""Configs in MMEngine's pure Python style, whose types are classes, wherever we read configs."""

import pytest
from mmdet.registry import (
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIMIZERS,
    TASK_UTILS,
    TRANSFORMS,
)
from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from versions import needs_norms_by_class

from shufflenet_det.deploy.onnx_export import resize_of
from shufflenet_det.integration.type_name import type_name
from shufflenet_det.training import (
    CheckedLoadImage,
    ResumableTrainLoop,
    SafeCheckpointHook,
    SafeCocoMetric,
)
from shufflenet_det.training.launch import load_config, prepare_test, prepare_training
from shufflenet_det.training.options import apply_options

REGISTRIES = (
    MODELS, DATASETS, TRANSFORMS, TASK_UTILS, HOOKS, LOOPS, METRICS, OPTIMIZERS, DATA_SAMPLERS,
)  # fmt: skip


def class_of(name):
    found = (registry.get(name) for registry in REGISTRIES)
    return next((kind for kind in found if isinstance(kind, type)), None)


def written(node, imports):
    """The source of a config, with a class for each type that is one."""
    if isinstance(node, dict):
        parts = []
        for key, value in node.items():
            kind = class_of(value) if key == 'type' else None
            if kind is not None:
                imports.add(f'from {kind.__module__} import {kind.__name__}')
            parts.append(f'{key!r}: {kind.__name__ if kind else written(value, imports)}')
        return '{' + ', '.join(parts) + '}'
    if isinstance(node, (list, tuple)):
        inner = ''.join(f'{written(each, imports)}, ' for each in node)
        return f'[{inner}]' if isinstance(node, list) else f'({inner})'
    return repr(node)


@pytest.fixture
def path(cfg, tmp_path):
    """RetinaNet of the fixture ``cfg``, protected, as a file in that style."""
    imports = set()
    for loader in (cfg.val_dataloader, cfg.train_dataloader):
        loader.dataset.pipeline[-1].meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape',
                                                 'scale_factor')  # fmt: skip
    cfg.update(
        test_dataloader=cfg.val_dataloader, test_evaluator=cfg.val_evaluator,
        test_cfg=dict(type='TestLoop'),
    )  # fmt: skip
    content = cfg.to_dict()
    del content['custom_imports']
    source = '\n'.join(f'{key} = {written(value, imports)}' for key, value in content.items())
    imports.add('import shufflenet_det')
    (tmp_path / 'pure.py').write_text('\n'.join([*sorted(imports), source]) + '\n')
    return tmp_path / 'pure.py'


def test_types_are_classes(path):
    cfg = Config.fromfile(path)
    assert isinstance(cfg.train_dataloader.dataset.type, type)
    assert type_name(cfg.train_dataloader.dataset) == 'CocoDataset'


@needs_norms_by_class
@pytest.mark.parametrize('read', [Config.fromfile, load_config], ids=['mmdet', 'tools'])
def test_training_is_protected_and_resumes(path, tmp_path, read):
    cfg = read(path)
    cfg.work_dir, cfg.experiment_name = str(tmp_path / 'work'), f'{tmp_path.name}-{read.__name__}'
    Runner.from_cfg(cfg).train()
    cfg.update(resume=True, experiment_name=f'{cfg.experiment_name}-resumed')
    cfg.train_cfg.max_epochs = 2
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.epoch == 2 and runner._load_from.endswith('epoch_1.pth')
    assert isinstance(runner.train_loop, ResumableTrainLoop)
    assert isinstance(runner.train_dataloader.dataset.pipeline.transforms[0], CheckedLoadImage)
    assert isinstance(runner.val_loop.evaluator.metrics[0], SafeCocoMetric)
    assert sum(isinstance(hook, SafeCheckpointHook) for hook in runner._hooks) == 1


OPTIONS = {
    'multi_scale': lambda cfg: type_name(cfg.train_dataloader.dataset.pipeline[2]),
    'mosaic_mixup': lambda cfg: type_name(cfg.train_dataloader.dataset),
    'tta': lambda cfg: type_name(cfg.tta_pipeline[-1]),
}
CHANGED = dict(
    multi_scale='RandomChoiceResize', mosaic_mixup='MultiImageMixDataset', tta='TestTimeAug'
)


@pytest.mark.parametrize('name', OPTIONS)
def test_options_change_it(path, name):
    assert OPTIONS[name](load_config(path, named=[name])) == CHANGED[name]


@needs_norms_by_class
@pytest.mark.parametrize('name', ['multi_scale', 'mosaic_mixup'])
def test_a_training_with_an_option_runs(path, tmp_path, name):
    cfg = load_config(path, dict(work_dir=str(tmp_path / 'work')), [name])
    cfg.experiment_name = f'{tmp_path.name}-{name}'
    runner = Runner.from_cfg(prepare_training(cfg, cfg.work_dir))
    runner.train()
    assert runner.epoch == 1


@needs_norms_by_class
def test_test_time_augmentation_and_test(path, tmp_path):
    cfg = load_config(path)
    (tmp_path / 'x.pth').touch()
    cfg = prepare_test(cfg, str(tmp_path / 'work'), str(tmp_path / 'x.pth'), tta=True)
    cfg.load_from, cfg.experiment_name = None, tmp_path.name
    metrics = Runner.from_cfg(cfg).test()
    assert 'coco/bbox_mAP' in metrics


def test_export_reads_its_resize(path):
    assert resize_of(Config.fromfile(path)).scale == (64, 64)


def test_nothing_to_change_names_the_class(path):
    with pytest.raises(ValueError, match='RetinaNet is no LightHeadRCNN'):
        apply_options(Config.fromfile(path), ['max_pooling'])

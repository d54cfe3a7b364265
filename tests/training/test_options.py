"""Every option of configs/options on our configs, and in trainings that last two iterations."""

import importlib.util
from itertools import product

import pytest
import torch
from drill.tiny import tiny_config, train
from mmdet.registry import DATASETS, MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from paths import ROOT

from shufflenet_det.checkpoints import read_checkpoint
from shufflenet_det.integration.config_scope import config_path
from shufflenet_det.training.launch import load_config, prepare_test
from shufflenet_det.training.options import STEPS, apply_options, option_names, option_path

CONFIGS = ['configs/lighthead_snv2.py', 'configs/demo/lighthead_snv2_demo.py']
TRAINED = ['accumulate', 'amp_bf16', 'class_agnostic', 'class_wise', 'early_stopping', 'ema',
           'mosaic_mixup', 'multi_scale']  # fmt: skip
CASCADE = 'mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py'
LIGHT_HEAD = [name for name in option_names() if 'light_head' in option_path(name).read_text()]


def installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return tmp_path_factory.mktemp('options') / 'data'


@pytest.fixture
def tiny(data, tmp_path):
    """A tiny config of few batches with options on top."""

    def make(*names, indices=4, work='work', **settings) -> Config:
        cfg = tiny_config(data, tmp_path / work, **settings)
        cfg.train_dataloader.dataset.indices = indices
        return apply_options(cfg, names)

    return make


@pytest.mark.parametrize(
    'path, name', [c for c in product(CONFIGS, option_names()) if c != (CONFIGS[1], 'atrous')]
)
def test_option_leaves_a_config_that_builds(path, name):
    register_all_modules()
    cfg = load_config(ROOT / path, named=[name])
    cfg.model.backbone.init_cfg = None
    MODELS.build(cfg.model)
    assert not set(STEPS) & set(cfg)


@pytest.mark.parametrize('name', LIGHT_HEAD)
def test_option_of_light_head_says_so_elsewhere(name):
    cfg = load_config(config_path(CASCADE))
    with pytest.raises(ValueError, match=f'option {name}: CascadeRCNN is no LightHeadRCNN, whose'):
        apply_options(cfg, [name])


@pytest.mark.parametrize('name', sorted(set(option_names()) - set(LIGHT_HEAD)))
def test_option_goes_on_configs_of_mmdet(name):
    register_all_modules()
    cfg = load_config(config_path(CASCADE))
    before = cfg.pretty_text
    MODELS.build(apply_options(cfg, [name]).model)
    assert cfg.pretty_text != before


@pytest.mark.parametrize('name', TRAINED)
def test_option_trains(tiny, name):
    runner = train(tiny(name, train_cfg__max_epochs=1, train_cfg__val_interval=1))
    assert runner.iter == 2
    assert all(value.isfinite().all() for value in runner.model.state_dict().values())


def test_accumulation_steps_once_in_four_batches(tiny):
    # Batches 1 to 4 make one step, the 2 that an epoch of 6 has left make the other.
    runner = train(tiny('accumulate', indices=12, train_cfg__max_epochs=1))
    state = next(iter(runner.optim_wrapper.optimizer.state.values()))
    assert (runner.iter, int(state['step'])) == (6, 2)


def test_bf16_runs_the_convs_in_bfloat16(tiny):
    runner = Runner.from_cfg(tiny('amp_bf16', train_cfg__max_epochs=1))
    dtypes = {True: set(), False: set()}
    conv = runner.model.backbone.conv1[0]
    conv.register_forward_hook(lambda conv, _, out: dtypes[conv.training].add(out.dtype))
    runner.train()
    assert dtypes == {True: {torch.bfloat16}, False: {torch.float32}}  # training, validation
    assert conv.weight.dtype == torch.float32


def test_early_stopping_stops(tiny):
    settings = {'train_cfg__max_epochs': 6, 'train_cfg__val_interval': 1}
    cfg = tiny('early_stopping', **settings)
    cfg.default_hooks.early_stopping.update(min_delta=1.0, patience=2)  # nothing gains so much
    assert train(cfg).epoch == 3


def test_ema_is_what_is_validated_and_saved(tiny, tmp_path):
    validated = {}

    class Look(Hook):
        def after_val_epoch(self, runner, metrics=None):
            validated.update({k: v.cpu().clone() for k, v in runner.model.state_dict().items()})

    train(tiny('ema', train_cfg__max_epochs=1, train_cfg__val_interval=1), Look())
    saved = read_checkpoint(tmp_path / 'work/epoch_1.pth')
    averaged, trained = saved['state_dict'], saved['ema_state_dict']
    assert all(torch.equal(value, averaged[key]) for key, value in validated.items())
    moved = [key for key in averaged if not torch.equal(averaged[key], trained[f'module.{key}'])]
    assert 'backbone.conv1.0.weight' in moved


@pytest.mark.skipif(not torch.cuda.is_available(), reason='float16 AMP needs a CUDA device')
def test_fp16_trains(tiny):
    assert train(tiny('amp_fp16', train_cfg__max_epochs=1)).iter == 2


@pytest.mark.skipif(not installed('tensorboard'), reason='tensorboard is not installed')
def test_tensorboard_writes_events(tiny, tmp_path):
    train(tiny('tensorboard', train_cfg__max_epochs=1))
    assert list((tmp_path / 'work').rglob('events.out.tfevents.*'))


@pytest.mark.skipif(not installed('wandb'), reason='wandb is not installed')
def test_wandb_builds_offline(tiny, monkeypatch):
    monkeypatch.setenv('WANDB_MODE', 'offline')
    runner = Runner.from_cfg(tiny('wandb'))
    assert 'WandbVisBackend' in runner.visualizer._vis_backends


def test_backends_add_up():
    cfg = load_config(ROOT / CONFIGS[0], named=['tensorboard', 'wandb', 'wandb'])
    kinds = [backend.type for backend in cfg.visualizer.vis_backends]
    assert kinds == ['LocalVisBackend', 'TensorboardVisBackend', 'WandbVisBackend']


def test_single_settings_win_over_options():
    settings = {'optim_wrapper.accumulative_counts': 8}
    cfg = load_config(ROOT / CONFIGS[0], settings, ['accumulate'])
    assert cfg.optim_wrapper.accumulative_counts == 8


@pytest.mark.parametrize('path, scale', [(CONFIGS[0], (1200, 800)), (CONFIGS[1], (192, 192))])
def test_mosaic_keeps_the_steps_of_the_config(path, scale):
    before = load_config(ROOT / path).train_dataloader.dataset.pipeline
    cfg = load_config(ROOT / path, named=['mosaic_mixup'])
    dataset = cfg.train_dataloader.dataset
    assert dataset.dataset.pipeline == before[:2]
    assert dataset.pipeline[3:] == before[2:]
    assert dataset.pipeline[0].img_scale == scale


def test_mosaic_gives_images_of_the_scale(tiny):
    register_all_modules()
    cfg = tiny('mosaic_mixup')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    shapes = {tuple(dataset[i]['inputs'].shape) for i in range(len(dataset))}
    assert shapes == {(3, 64, 64)}


def test_multi_scale_draws_around_the_scale_of_the_config():
    cfg = load_config(ROOT / CONFIGS[0], named=['multi_scale'])
    step = cfg.train_dataloader.dataset.pipeline[2]
    assert step.type == 'RandomChoiceResize' and step.keep_ratio
    assert step.scales[0] == (900, 600) and step.scales[2] == (1200, 800)


def test_multi_scale_and_mosaic_combine_in_either_order():
    one, other = (
        load_config(ROOT / CONFIGS[0], named=names).train_dataloader.dataset.pipeline
        for names in (['multi_scale', 'mosaic_mixup'], ['mosaic_mixup', 'multi_scale'])
    )
    assert one == other


def test_tta_takes_the_scale_of_the_test_pipeline():
    cfg = load_config(ROOT / CONFIGS[1])
    prepare_test(cfg, 'work', 'torchvision://x', tta=True)
    resized = cfg.test_dataloader.dataset.pipeline[1].transforms[0]
    assert [step.scale for step in resized] == [(192, 192), (240, 240)]


def test_tta_predicts_with_a_checkpoint(tiny, tmp_path):
    train(tiny(train_cfg__max_epochs=1))
    cfg = prepare_test(tiny(), str(tmp_path), str(tmp_path / 'work/epoch_1.pth'), tta=True)
    cfg.experiment_name = 'tta'
    assert 'coco/bbox_mAP' in Runner.from_cfg(cfg).test()


@pytest.mark.parametrize('name, outputs', [('class_agnostic', 4), ('class_wise', 8 * 4)])
def test_boxes_of_the_head(tiny, name, outputs):
    register_all_modules()
    head = MODELS.build(tiny(name).model).roi_head.bbox_head
    assert head.fc_reg.out_features == outputs


def test_unknown_option_lists_what_exists():
    with pytest.raises(ValueError, match=r'option emma does not exist.*accumulate.*ema'):
        load_config(ROOT / CONFIGS[0], named=['emma'])


def test_option_of_your_own(tmp_path):
    (tmp_path / 'mine.py').write_text('train_cfg = dict(max_epochs=3)\n')
    cfg = load_config(ROOT / CONFIGS[0], named=[str(tmp_path / 'mine.py')])
    assert cfg.train_cfg.max_epochs == 3 and cfg.train_cfg.val_interval == 1


def test_class_agnostic_needs_a_roi_head():
    cfg = Config(dict(model=dict(type='RetinaNet', bbox_head=dict(type='RetinaHead'))))
    with pytest.raises(ValueError, match='class_agnostic: RetinaNet has no model.roi_head'):
        apply_options(cfg, ['class_agnostic'])


@pytest.mark.skipif(
    torch.cuda.is_available(),
    reason='the gradient of PSRoIAlign on CUDA is summed in no fixed order',
)
@pytest.mark.parametrize('name', ['accumulate', 'amp_bf16', 'ema', 'mosaic_mixup'])
def test_resumed_run_ends_with_the_same_weights(tiny, tmp_path, name):
    settings = dict(indices=6, default_hooks__checkpoint__max_keep_ckpts=-1)
    train(tiny(name, work='whole', **settings))
    resumed = tiny(name, work='resumed', **settings)
    resumed.update(resume=True, load_from=str(tmp_path / 'whole/epoch_1.pth'))
    train(resumed)
    whole, parts = (
        read_checkpoint(tmp_path / work / 'epoch_2.pth') for work in ('whole', 'resumed')
    )
    for key in {'state_dict', 'ema_state_dict'} & set(whole):
        assert all(torch.equal(value, parts[key][n]) for n, value in whole[key].items())

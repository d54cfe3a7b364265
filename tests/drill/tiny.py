"""The smallest training that has every part of a real one: seconds on one CPU core."""

from __future__ import annotations

from functools import cache
from itertools import count
from pathlib import Path

from mmengine.config import Config, ConfigDict, config
from mmengine.hooks import Hook
from mmengine.runner import Runner, runner

from shufflenet_det.data import generate
from shufflenet_det.integration.config_scope import config_path
from shufflenet_det.training.launch import load_config

BASE = config_path('shufflenet_det::demo/lighthead_snv2_demo.py')
ARCH = dict(stem=[(8, 2)], stages=[(16, 2), (32, 2), (64, 2)], last_conv=64)
NUM_TRAIN, BATCH = 12, 2
BATCHES = NUM_TRAIN // BATCH
_numbers = count()


def describe_once() -> None:
    """Leave out of every run what takes MMEngine longer than such a training.

    It describes the machine anew for each Runner, and formats the config for each log and file.
    """
    config.FormatCode = lambda text, **style: (text, True)
    runner.collect_env = cache(runner.collect_env)
    runner.collect_env()


def tiny_config(data_root: str | Path, work_dir: str | Path, **options) -> Config:
    """The demo config with a tiny backbone on 64 x 64 px, 6 batches in an epoch, seed 0.

    Args:
        data_root: Generated here if it is not there.
        work_dir: Logs and checkpoints.
        options: Settings as ``--cfg-options`` takes them, with __ for a dot.
    """
    generate(data_root, num_train=NUM_TRAIN, num_val=4)
    cfg = load_config(BASE, dict(data_root=str(data_root)))
    shrink(cfg)
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in options.items()})
    cfg.work_dir, cfg.log_level = str(work_dir), 'WARNING'
    return cfg


def shrink(cfg: Config) -> None:
    """Make a config that inherits the demo's small and fast, in place."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False, batch_size=BATCH)
        for step in loader.dataset.pipeline:
            if step.type == 'Resize':
                step.scale = (64, 64)
            if step.type == 'RandomChoiceResize':
                step.scales = [(64, 64)]
    cfg.model.backbone.update(arch=ConfigDict(ARCH), init_cfg=None)
    cfg.model.rpn_head.feat_channels = 16
    cfg.model.roi_head.bbox_head.fc_out_channels = 32
    cfg.train_cfg.update(max_epochs=2, val_interval=10)
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1)
    cfg.randomness = dict(seed=0)


def train(cfg: Config, *hooks: Hook) -> Runner:
    """Train in this process, with more hooks, and return the finished runner."""
    # mmengine keeps its message hub by this name
    cfg.experiment_name = f'drill_{next(_numbers)}'
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook, priority='VERY_HIGH')
    runner.train()
    return runner

"""What tools/train.py and tools/test.py do around MMEngine's Runner."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from inspect import signature
from pathlib import Path

from mmdet.registry import METRICS
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device

from shufflenet_det.data.training_check import check_training_data, datasets
from shufflenet_det.integration.config_errors import errors_of_config
from shufflenet_det.integration.config_scope import config_file
from shufflenet_det.integration.type_name import type_name

from .amended_config import (
    check_decay,
    move_root,
    protected,
    read_through_this_package,
    without_workers,
)  # fmt: skip
from .key_values import KeyValues, check_keys
from .options import apply_options, option_names, option_path
from .own_photos import Run, settle

HOW_TO_GET_COCO = (
    'Get train2017.zip, val2017.zip and annotations_trainval2017.zip from the COCO download page '
    'and unpack them there (data/README.md shows the layout); or say where they are with the '
    'environment variable COCO_ROOT or --cfg-options data_root=DIR. Without COCO, '
    '`python tools/make_demo_data.py` and configs/demo/lighthead_snv2_demo.py need no download.'
)
HOW_TO_FIND_DATA = (
    'Say where the set is with --cfg-options data_root=DIR, or correct ann_file and data_prefix of '
    'the config; `python tools/make_demo_data.py --root DIR` makes a set to try it on.'
)


def load_config(
    path: str | Path, options: Mapping | None = None, named: Iterable[str] = (),
    run: Run | None = None,
) -> Config:  # fmt: skip
    """Read a config, merge named options of configs/options over it, and then single settings.

    A changed ``data_root`` moves every path of the config that starts with the old one, which
    MMEngine's merging alone does not do. ``run`` is what a config with ``own_photos`` is read for.
    A path such as ``mmdet::ssd/ssd300_coco.py`` is a config of an installed package.

    Raises:
        FileNotFoundError: If the config does not exist.
        ImportError, ValueError: As ``config_file``, ``errors_of_config`` and ``check_keys``; if
            ``options`` do not fit; if a weight decay is scaled that is not there; as
            ``apply_options`` and ``settle``.
    """
    file = path if '::' in str(path) else config_file(path)
    with errors_of_config(path):
        if '::' in str(path):
            cfg = Config.fromstring(f'_base_ = [{str(path)!r}]', '.py')
        else:
            cfg = Config.fromfile(file)
    check_keys(options or {}, cfg)
    options = settle(cfg, options or {}, run, work_dir_for(cfg, path, None))
    apply_options(cfg, named)
    old_root = cfg.get('data_root')
    try:
        cfg.merge_from_dict(options)
    except (KeyError, TypeError) as error:
        raise ValueError(f'settings {list(options)} do not fit {path}: {error.args[0]}') from error
    without_workers(cfg)
    check_decay(cfg)
    new_root = cfg.get('data_root')
    if old_root is not None and new_root != old_root:
        move_root(cfg._cfg_dict, str(old_root), str(new_root))
    if protected(cfg):
        read_through_this_package(cfg)
    return cfg


def check_paths(cfg: Config, splits: tuple[str, ...]) -> None:
    """Stop early where annotations or images are not there, or annotations have faults.

    Args:
        cfg: The config.
        splits: Which of ``train``, ``val`` and ``test`` are about to be used.

    Raises:
        FileNotFoundError: Naming the path, and how to get the data.
        DataError: As ``check_training_data``.
    """
    for split in splits:
        for dataset in datasets(cfg.get(f'{split}_dataloader') or {}):
            root = Path(dataset.get('data_root') or '')
            needed = [root / dataset['ann_file']]
            needed += [root / prefix for prefix in (dataset.get('data_prefix') or {}).values()]
            for path in needed:
                if not path.exists():
                    coco = '2017' in dataset['ann_file']  # of which it is named
                    raise FileNotFoundError(
                        f'{split} data: {path} does not exist (looked for in {path.absolute()}). '
                        f'{HOW_TO_GET_COCO if coco else HOW_TO_FIND_DATA}'
                    )
    check_training_data(cfg, splits)


def prepare_training(
    cfg: Config,
    work_dir: str,
    amp: bool = False,
    resume: str | None = None,
    auto_scale_lr: bool = False,
) -> Config:
    """Apply the switches of tools/train.py to a config, in place.

    Args:
        cfg: The config.
        work_dir: Where logs and checkpoints go.
        amp: Automatic mixed precision.
        resume: ``auto`` for the newest checkpoint of work_dir, or a checkpoint's path.
        auto_scale_lr: Scale the learning rate to the actual batch size.

    Raises:
        ValueError: If amp is asked for on a CPU, by the switch or in the config, or auto_scale_lr
            and the config has no base batch size.
        FileNotFoundError: If the checkpoint to resume does not exist.
    """
    cfg.work_dir = work_dir
    if amp:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if type_name(cfg.get('optim_wrapper') or {}) == 'AmpOptimWrapper' and get_device() == 'cpu':
        raise ValueError('no CUDA device, which --amp and amp_fp16 need; take --option amp_bf16')
    if auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError(
                '--auto-scale-lr needs auto_scale_lr.base_batch_size in the config; '
                'add auto_scale_lr=dict(base_batch_size=16)'
            )
        cfg.auto_scale_lr.enable = True
    if resume is not None:
        cfg.resume = True
        cfg.load_from = None if resume == 'auto' else _existing(resume)
    return cfg


def _existing(checkpoint: str) -> str:
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'{checkpoint}: no such file; give the path of a checkpoint file')
    return checkpoint


def prepare_test(
    cfg: Config,
    work_dir: str,
    checkpoint: str,
    show_dir: str | None = None,
    tta: bool = False,
    classwise: bool = False,
) -> Config:
    """Apply the switches of tools/test.py to a config, in place.

    Args:
        cfg: The config.
        work_dir: Where logs go.
        checkpoint: Weights to test.
        show_dir: Draw every prediction beside its ground truth into this folder of work_dir.
        tta: Test-time augmentation by the config's tta_model and tta_pipeline, or by the option of
            this name where it has none.
        classwise: AP of each class.

    Raises:
        ValueError: If tta is asked for and the test pipeline has no step that resizes, or
            classwise and no metric takes it.
        FileNotFoundError: If the checkpoint does not exist.
    """
    cfg.work_dir = work_dir
    cfg.load_from = _existing(checkpoint)
    if show_dir is not None:
        cfg.default_hooks.visualization.update(draw=True, test_out_dir=show_dir)
    if classwise:
        _show_each_class(cfg)
    if tta:
        if not {'tta_model', 'tta_pipeline'} <= set(cfg):
            apply_options(cfg, ['tta'])
        cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
        cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    return cfg


def _show_each_class(cfg: Config) -> None:
    """Let the test evaluators that can show each class do so; VOCMetric always does."""
    given = cfg.test_evaluator
    evaluators = given if isinstance(given, (list, tuple)) else [given]
    names = [type_name(evaluator) for evaluator in evaluators]
    chosen = [evaluator for evaluator in evaluators if _takes_classwise(evaluator.get('type'))]
    for evaluator in chosen:
        evaluator.classwise = True
    if not chosen and 'VOCMetric' not in names:
        raise ValueError(
            f'--classwise: no metric of test_evaluator shows each class: {names}; take CocoMetric '
            'or VOCMetric, or leave it out'
        )


def _takes_classwise(metric: str | type) -> bool:
    kind = METRICS.get(metric) if isinstance(metric, str) else metric
    bases = getattr(kind, '__mro__', ())
    return any('classwise' in signature(base.__init__).parameters for base in bases)


def work_dir_for(cfg: Config, config: str | Path, given: str | None) -> str:
    """The folder asked for, else the config's own, else work_dirs/CONFIG_NAME."""
    return given or cfg.get('work_dir') or str(Path('work_dirs') / Path(config).stem)


def add_launch_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that tools/train.py and tools/test.py share."""
    parser.add_argument('--work-dir', help='logs and results (default: work_dirs/CONFIG_NAME)')
    parser.add_argument(
        '--option', nargs='+', default=[], metavar='NAME', type=_option,
        help=f'merge over the config, before --cfg-options: {", ".join(option_names())}',
    )  # fmt: skip
    parser.add_argument(
        '--cfg-options', nargs='+', action=KeyValues, help='settings to change, key=value'
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes were started',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def _option(name: str) -> str:
    try:
        option_path(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name

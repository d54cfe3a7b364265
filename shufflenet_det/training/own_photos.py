"""Settles a config with the key ``own_photos``: a folder of one's own becomes a training.

A training reads the folder and writes what it decided to ``own_photos/`` of its work_dir: the COCO
files of train, val and test, and decided.json. Tests and predictions read it beside the checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mmengine.config import Config

from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.data.annotations import DataError
from shufflenet_det.data.own_set import SPLITS, OwnSet, read_images, read_own_set
from shufflenet_det.integration.type_name import type_name

from .decisions import CHOSEN, Recipe, Settings, count, decide
from .distributed import launched_rank
from .lock import hold
from .options import RESIZING
from .starts import GIVEN, STARTS, choose

KEY = 'own_photos'
DECIDED = 'decided.json'
ELSEWHERE = 'elsewhere'
FIELDS = ('layout', 'seed', 'start', *CHOSEN)
"""What ``own_photos`` of a config may hold; None, or what is left out, is decided."""


@dataclass(frozen=True)
class Run:
    """What a config is read for.

    Args:
        folder: Of the checkpoints: work_dir of a training, None for the usual one; else where the
            checkpoint lies.
        trains: Whether a training is about to begin; otherwise there was one.
        resumes: Whether it goes on from a checkpoint.
    """

    folder: str | None
    trains: bool = False
    resumes: bool = False

    @classmethod
    def after(cls, checkpoint: str | Path) -> Run:
        """What comes after the training of a checkpoint."""
        return cls(str(Path(checkpoint).parent))


def settle(cfg: Config, options: Mapping, run: Run | None, work_dir: str) -> dict:
    """Settle a config in place, unless it has no key ``own_photos``.

    Args:
        cfg: The config.
        options: Settings that will be merged over it; those of ``own_photos`` are used here.
        run: What it is read for.
        work_dir: Where ``run`` and ``options`` name none.

    Returns:
        The settings that are left to be merged.

    Raises:
        ValueError: If the config cannot be settled; DataError where that is due to the data.
        OSError: As ``starts.choose``, and as ``hold`` before anything is written.
    """
    if KEY not in cfg:
        return dict(options)
    if run is None:
        raise ValueError(
            f'{cfg.filename}: {KEY} is decided by its training; give the config that this wrote, '
            f'work_dirs/{Path(cfg.filename).stem}/{Path(cfg.filename).name}'
        )
    own = {**dict.fromkeys(FIELDS), 'seed': 0, **cfg._cfg_dict.pop(KEY)}
    given = {k: v for k, v in options.items() if k.partition('.')[0] == KEY}
    own.update({k.removeprefix(f'{KEY}.'): v for k, v in given.items()})
    unknown = sorted(own.keys() - set(FIELDS))
    if unknown:
        raise ValueError(f'{KEY} has no {unknown}; it takes {list(FIELDS)}')
    rest = {k: v for k, v in options.items() if k not in given}
    folder = Path(run.folder or rest.get('work_dir') or work_dir)
    if run.trains:
        record = _train(cfg, own, rest, folder, run.resumes)
    else:
        record = _recall(own, rest, folder)
    _apply(cfg, record, folder / KEY)
    rest.pop('data_root', None)
    return rest


def _train(cfg: Config, own: Mapping, options: Mapping, work_dir: Path, resumes: bool) -> dict:
    found = read_own_set(options.get('data_root', cfg.data_root), own['layout'], own['seed'])
    recipe = Recipe(cfg.train_dataloader.batch_size, cfg.optim_wrapper.optimizer.lr)
    settings, reasons = decide(count(found), recipe, {key: own[key] for key in CHOSEN})
    load_from = options.get('load_from', cfg.get('load_from'))
    before = _read(work_dir) if resumes else None
    if before is not None:
        _refuse_other_data(found, before, work_dir)
        start, reason = before['start'], 'as the training that goes on began'
    elif load_from:
        former = Path(load_from).parent / KEY / DECIDED
        start = _read(former.parents[1])['start'] if former.is_file() else 'coco'
        reason = f'{GIVEN}={load_from}'
    else:
        start, reason = choose(cfg, own['start'])
    record = dict(
        data_root=str(found.root), data_path=str(found.root.absolute()), classes=found.classes,
        start=start, settings=asdict(settings), loads=not (load_from or resumes),
        images={split: [image.file for image in found.images[split]] for split in SPLITS},
    )  # fmt: skip
    if not launched_rank():
        hold(work_dir)  # what another training decided stays
    folder = work_dir / KEY
    folder.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        replace_file(folder / f'{split}.json', json.dumps(found.coco(split)))
    replace_file(folder / DECIDED, json.dumps(record))
    _tell(found, settings, {**reasons, 'start': reason}, start, folder)
    return record


def _refuse_other_data(found: OwnSet, before: Mapping, folder: Path) -> None:
    if list(found.classes) != before['classes']:
        raise DataError(
            f'{found.root}: its classes are {list(found.classes)}, those of the training in '
            f'{folder} are {before["classes"]}; take its folder {before["data_root"]}, or start '
            'anew with another --work-dir and load_from'
        )
    if {s: [i.file for i in found.images[s]] for s in SPLITS} != before['images']:
        raise DataError(
            f'{found.root}: its images, or their split, are not those of the training in {folder}; '
            'what it trained on might validate now. Start anew with another --work-dir'
        )


def _recall(own: Mapping, options: Mapping, folder: Path) -> dict:
    """What a training decided; another folder than its own is tested on as a whole."""
    record = _read(folder)
    record['loads'] = False
    root = options.get('data_root')
    roots = [record['data_root'], record.get('data_path', record['data_root'])]
    if root is None or Path(root).resolve() in [Path(each).resolve() for each in roots]:
        # A whole project may have moved, or the command be given in another folder.
        return {**record, 'data_root': next((r for r in roots if Path(r).is_dir()), roots[0])}
    found = read_images(root, own['layout'])
    unknown = sorted(set(found.classes) - set(record['classes']))
    if unknown:
        raise DataError(
            f'{root}: objects of {unknown}, which the checkpoint in {folder} does not know; it '
            f'was trained on {record["classes"]}'
        )
    every = {image.file: image for images in found.images.values() for image in images}
    found.images, found.classes = {ELSEWHERE: list(every.values())}, tuple(record['classes'])
    replace_file(folder / KEY / f'{ELSEWHERE}.json', json.dumps(found.coco(ELSEWHERE)))
    return {**record, 'data_root': str(root), 'test': ELSEWHERE}


def _read(folder: Path) -> dict:
    path = folder / KEY / DECIDED
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(
            f'{path}: {getattr(error, "strerror", None) or error}; it stands beside the '
            f'checkpoints of a training with {KEY}. Train first, or give a checkpoint in its folder'
        ) from error


def _apply(cfg: Config, record: Mapping, folder: Path) -> None:
    settings, start = Settings(**record['settings']), STARTS[record['start']]
    start.change(cfg)
    if not record['loads']:
        for part in cfg.model.values():
            if isinstance(part, dict) and (part.get('init_cfg') or {}).get('checkpoint'):
                part.init_cfg = None
    cfg.data_root = record['data_root']
    for split in SPLITS:
        ann_file = str((folder / f'{record.get(split, split)}.json').absolute())
        loader = cfg[f'{split}_dataloader']
        loader.dataset.update(
            data_root=cfg.data_root, ann_file=ann_file, data_prefix=dict(img=''),
            metainfo=dict(classes=tuple(record['classes'])),
        )  # fmt: skip
        loader.batch_size = settings.batch_size if split == 'train' else loader.batch_size
        _resize(loader.dataset.pipeline, settings.size)
        if split != 'train':
            cfg[f'{split}_evaluator'].ann_file = ann_file
    _set_classes(cfg.model, len(record['classes']))
    _schedule(cfg, settings)


def _resize(pipeline: list, size: int) -> None:
    for step in pipeline:
        if type_name(step) in RESIZING:
            step.scale = (size, size)


def _set_classes(node: Mapping, number: int) -> None:
    """Of every head but those that propose regions."""
    for key, value in node.items():
        if isinstance(value, Mapping) and 'rpn' not in key:
            if key.endswith('head') and 'num_classes' in value:
                value.num_classes = number
            _set_classes(value, number)


def _schedule(cfg: Config, settings: Settings) -> None:
    cfg.max_epochs, cfg.size = settings.epochs, settings.size
    cfg.train_cfg.update(max_epochs=settings.epochs, val_interval=settings.val_interval)
    cfg.optim_wrapper.optimizer.lr = settings.lr
    for scheduler in cfg.param_scheduler:
        if scheduler.get('by_epoch', True):
            scheduler.update(end=settings.epochs, T_max=settings.epochs)
    cfg.default_hooks.checkpoint.update(
        interval=settings.val_interval, max_keep_ckpts=1, save_best='coco/bbox_mAP'
    )


def _tell(found: OwnSet, settings: Settings, reasons: Mapping, start: str, folder: Path) -> None:
    if launched_rank():
        return
    numbers = {split: len(found.images[split]) for split in SPLITS}
    lines = [f'annotations: layout {found.layout} in {found.root}', *found.notes]
    lines += [f'images: {numbers}, listed in {folder}']
    lines += [f'classes: {len(found.classes)}, {", ".join(found.classes)}']
    lines += [f'{name}: {getattr(settings, name):g}; {reasons[name]}' for name in CHOSEN]
    print('\n'.join([*lines, f'start: {start}; {reasons["start"]}']), flush=True)

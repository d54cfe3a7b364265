"""Options: small files of configs/options that go on top of any config of MMDetection.

An option is a config whose settings are merged over those of another. Lists and pipelines, which
merging would replace, are changed by the keys of ``STEPS``, from what the config itself has.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict

from shufflenet_det.integration.config_errors import errors_of_config
from shufflenet_det.integration.config_scope import config_root
from shufflenet_det.integration.type_name import type_name

RESIZING = ('Resize', 'RandomResize', 'RandomChoiceResize')


def option_names() -> list[str]:
    """Every option that exists."""
    return sorted(path.stem for path in _folder().glob('*.py'))


def _folder() -> Path:
    return config_root('shufflenet_det') / 'options'


def option_path(name: str) -> Path:
    """The file of an option; a name that ends in .py is a path.

    Raises:
        ValueError: If there is none; names those that exist.
    """
    path = Path(name) if name.endswith('.py') else _folder() / f'{name}.py'
    if not path.is_file():
        raise ValueError(
            f'option {name} does not exist; there are {", ".join(option_names())}; or give the '
            'path of a .py file'
        )
    return path


def apply_options(cfg: Config, names: Iterable[str]) -> Config:
    """Merge options over a config, in place and in order.

    Args:
        cfg: The config.
        names: Names of options, or paths of option files of your own.

    Raises:
        ValueError: If an option does not exist, or the config has nothing that it could change.
    """
    for name in names:
        path = option_path(name)
        with errors_of_config(path):
            settings = Config.fromfile(path).to_dict()
        for key, step in STEPS.items():
            if key in settings:
                try:
                    step(cfg, **settings.pop(key))
                except ValueError as error:
                    raise ValueError(f'option {name}: {error}') from error
        cfg.merge_from_dict(settings)
    return cfg


def append(cfg: Config, **lists: Sequence) -> None:
    """Lengthen lists of the config, named by their path, by what is not yet in them."""
    for path, items in lists.items():
        *parents, last = path.split('.')
        node = cfg
        for parent in parents:
            node = node.setdefault(parent, ConfigDict())
        present = list(node.get(last) or [])
        node[last] = present + [ConfigDict(item) for item in items if item not in present]


def roi_box_heads(cfg: Config, **settings) -> None:
    """Change every box head of the RoI head; a cascade has several."""
    heads = cfg.model.get('roi_head', {}).get('bbox_head')
    if heads is None:
        raise ValueError(f'{type_name(cfg.model)} has no model.roi_head.bbox_head; leave it out')
    for head in heads if isinstance(heads, list) else [heads]:
        head.update(settings)


def light_head(cfg: Config, **settings) -> None:
    """Change parts that only a Light-Head R-CNN has."""
    if type_name(cfg.model) != 'LightHeadRCNN':
        name = type_name(cfg.model)
        raise ValueError(f'{name} is no LightHeadRCNN, whose parts it sets; leave it out')
    cfg.merge_from_dict(dict(model=settings))


def multi_scale(cfg: Config, ratios: Sequence[float]) -> None:
    """Resize by one of several ratios to the scale of the training pipelines."""
    for pipeline, index in _resizing(_pipelines(cfg.train_dataloader.dataset)):
        scales = _scaled(base_scale(pipeline[index]), ratios)
        pipeline[index] = ConfigDict(
            type='RandomChoiceResize', scales=scales, keep_ratio=_keep_ratio(pipeline[index])
        )


def mosaic_mixup(
    cfg: Config, affine_scales: Sequence[float], mixup_ratios: Sequence[float]
) -> None:
    """Mix images behind the loading steps of the training pipelines, whose other steps follow."""
    dataset = cfg.train_dataloader.dataset
    if type_name(dataset) == 'MultiImageMixDataset':
        raise ValueError('the training data of the config are mixed already; leave it out')
    pipelines = list(_pipelines(dataset))
    first, index = _resizing(pipelines)[0]
    width, height = scale = base_scale(first[index])
    after = copy.deepcopy(first[_loaded(first) :])
    if any(pipeline[_loaded(pipeline) :] != after for pipeline in pipelines):
        raise ValueError(
            'its training data sets have different pipelines, which cannot be mixed; leave it out'
        )
    for pipeline in pipelines:
        del pipeline[_loaded(pipeline) :]
    mixing = [
        dict(type='Mosaic', img_scale=scale, pad_val=114.0),
        dict(
            type='RandomAffine', scaling_ratio_range=tuple(affine_scales),
            border=(-(width // 2), -(height // 2)),
        ),
        dict(type='MixUp', img_scale=scale, ratio_range=tuple(mixup_ratios), pad_val=114.0),
    ]  # fmt: skip
    cfg.train_dataloader.dataset = ConfigDict(
        type='MultiImageMixDataset', dataset=dataset, pipeline=mixing + after
    )


def tta(cfg: Config, ratios: Sequence[float]) -> None:
    """Make the pipeline of test-time augmentation from the test pipeline: scales and flips."""
    pipeline = copy.deepcopy(cfg.test_dataloader.dataset.pipeline)
    _, index = _resizing([pipeline])[0]
    scales = _scaled(base_scale(pipeline[index]), ratios)
    resized = [
        dict(type='Resize', scale=scale, keep_ratio=_keep_ratio(pipeline[index]))
        for scale in scales
    ]
    flips = [dict(type='RandomFlip', prob=probability) for probability in (1.0, 0.0)]
    *between, packing = pipeline[index + 1 :]
    packing['meta_keys'] = (*packing['meta_keys'], 'flip', 'flip_direction')
    transforms = [resized, flips, *([step] for step in between), [packing]]
    cfg.tta_pipeline = [*pipeline[:index], dict(type='TestTimeAug', transforms=transforms)]


def base_scale(step: Mapping) -> tuple[int, int]:
    """Width and height that a resizing step aims at; of several, the middle one."""
    scales = step.get('scales', step.get('scale'))
    if scales is None:
        raise ValueError(f'{type_name(step)} of the pipeline has no scale; give it one')
    if not isinstance(scales[0], Sequence):
        scales = [scales]
    middle = sorted(scales, key=lambda scale: scale[0] * scale[1])[len(scales) // 2]
    return tuple(middle)


def _scaled(scale: tuple[int, int], ratios: Sequence[float]) -> list[tuple[int, int]]:
    return [tuple(round(side * ratio) for side in scale) for ratio in ratios]


def _keep_ratio(step: Mapping) -> bool:
    return step.get('keep_ratio', step.get('resize_cfg', {}).get('keep_ratio', False))


def _pipelines(dataset: Mapping) -> Iterator[list]:
    """The pipelines of a dataset config and of those it wraps."""
    if 'pipeline' in dataset:
        yield dataset['pipeline']
    inner = [dataset['dataset']] if 'dataset' in dataset else dataset.get('datasets', [])
    for wrapped in inner:
        yield from _pipelines(wrapped)


def _resizing(pipelines: Iterable[list]) -> list[tuple[list, int]]:
    """Where pipelines resize first, one place each."""
    found = []
    for pipeline in pipelines:
        places = [i for i, step in enumerate(pipeline) if type_name(step) in RESIZING]
        found += [(pipeline, places[0])] if places else []
    if not found:
        raise ValueError(f'no pipeline has a step of type {RESIZING}; add one')
    return found


def _loaded(pipeline: list) -> int:
    """How many steps of a pipeline load image and annotations."""
    return 1 + max(i for i, step in enumerate(pipeline) if 'Load' in type_name(step))


STEPS = {
    step.__name__: step
    for step in (append, roi_box_heads, light_head, multi_scale, mosaic_mixup, tta)
}
"""Keys of an option file that are functions of the config, not settings of it."""

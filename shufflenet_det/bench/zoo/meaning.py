"""What a swap changed without a word: the models before and after, built and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mmdet.models import BaseDetector
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from shufflenet_det.backbones.base import LevelBackbone
from shufflenet_det.detectors.levels import measured, on_meta
from shufflenet_det.detectors.swap import Change, find_detector
from shufflenet_det.detectors.swap.optimizer import parameter_options
from shufflenet_det.detectors.swap.surroundings import loads
from shufflenet_det.detectors.swap.traits import frozen_stages, largest_dilation, norms_of
from shufflenet_det.detectors.trial import CHECKPOINTS, without_weights

from .language import without_downloads

NO_BN = 'no BN'
WEIGHTS = ('init_cfg', 'pretrained')


@dataclass(frozen=True)
class Meaning:
    """What a training makes of a config, read from the built model and its optimiser.

    Args:
        norm: BN, SyncBN or none, of the backbone.
        norm_momentum, norm_eps: Of its BN; no momentum where it stays in eval mode.
        norm_eval: All its BN stays in eval mode while training.
        norm_learns: Its BN has affine parameters with gradient.
        frozen: Some of its convs have no gradient.
        frozen_stages: Levels down to the deepest of these, or as ours says it; -1 for none.
        dilation: The largest of its convs.
        strides: Of its outputs.
        trained: It starts from weights.
        norm_options: Learning rates and decays of its normalisation that learns.
        weight_options: Those of its convs and linear layers that learn.
        loaded: Field -> checkpoint that is loaded over the backbone and the rest of the detector.
        other_weights: Field -> checkpoint of the other parts.
        rest: Name -> gradient, options and norms' modes of all that is not the backbone.
    """

    norm: str
    norm_momentum: frozenset
    norm_eps: frozenset
    norm_eval: bool
    norm_learns: bool
    frozen: bool
    frozen_stages: int
    dilation: int
    strides: tuple[int, ...]
    trained: bool
    norm_options: frozenset
    weight_options: frozenset
    loaded: Mapping[str, str]
    other_weights: Mapping[str, str]
    rest: Mapping[str, tuple]


FIELDS = {
    'norm': ('backbone.norm_cfg',),
    'norm_momentum': ('backbone.norm_cfg', 'backbone.norm_eval'),
    'norm_eps': ('backbone.norm_cfg', 'backbone.norm_cfg.eps'),
    'norm_eval': ('backbone.norm_cfg', 'backbone.norm_eval'),
    'norm_learns': ('backbone.norm_cfg', 'backbone.norm_cfg.requires_grad'),
    'frozen': ('backbone.frozen_stages',),
    'frozen_stages': ('backbone.frozen_stages',),
    'dilation': ('backbone.dilation',),
    'strides': (),
    'trained': ('backbone.init_cfg',),
    'norm_options': ('optim_wrapper.constructor',),
    'weight_options': ('optim_wrapper.constructor',),
    'other_weights': (),
    'rest': ('optim_wrapper.constructor',),
}
"""Field -> ends of the paths of changes that say that it differs. What is loaded over the detector
must go, and a change must name it."""


def silent_changes(before: Config, after: Config, changes: Sequence[Change]) -> list[str]:
    """What differs between the built models of a config and its swap, and no change says.

    Weights count as given by the config: nothing is downloaded.
    """
    old, new = meaning_of(before), meaning_of(after)
    said = {change.path.partition('[')[0] for change in changes}
    silent = [
        f'{field}: {_short(getattr(old, field), getattr(new, field))}'
        for field, ends in FIELDS.items()
        if _differs(field, getattr(old, field), getattr(new, field))
        and not any(f'.{path}'.endswith(f'.{end}') for path in said for end in ends)
    ]
    stale = [f'{place}: {checkpoint} stays' for place, checkpoint in new.loaded.items()]
    return silent + stale + [f'{place}: gone' for place in old.loaded if place not in said]


def _differs(field: str, old: object, new: object) -> bool:
    """Options of what does not learn are none; a net may have fewer kinds of layers than one."""
    if field == 'norm_options':
        return bool(old and new) and old != new
    if field == 'weight_options':
        return bool(old) and not new <= old
    return old != new


def _short(old: object, new: object) -> str:
    if isinstance(old, Mapping):
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        return f'{len(names)} differ, such as {names[0]}: ' + _short(
            old.get(names[0]), new.get(names[0])
        )
    return f'{_plain(old)!r} -> {_plain(new)!r}'


def _plain(value: object) -> object:
    return sorted(value, key=repr) if isinstance(value, frozenset) else value


def meaning_of(cfg: Config) -> Meaning:
    """Build the model of a config on the meta device, and look."""
    path, detector = find_detector(cfg)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmdet'):
        with without_downloads():
            model = on_meta(without_weights(cfg.model))
    model.train()
    names = path.split('.')[1:]
    if names and not hasattr(model, names[0]):  # a semi-supervised wrapper
        names = ['student']
    backbone = model.get_submodule('.'.join([*names, 'backbone']))
    own = ('backbone.', *(f'{name}.backbone.' for name in ('student', 'teacher', *names)))
    options = _options(cfg, model)
    loaded = dict(_loaded(cfg, path))
    starts = [detector.backbone.get(key) for key in WEIGHTS]
    others = {
        place: checkpoint for place, checkpoint in _checkpoints(cfg.model, 'model')
        if place not in loaded and not place.startswith(f'{path}.backbone.')
    }  # fmt: skip
    return Meaning(
        **_of_norms(backbone, options),
        **_shape_of(detector.backbone, backbone),
        trained=bool(loaded) or loads(starts),
        weight_options=_options_of(_weights(backbone), options),
        loaded=loaded,
        other_weights=others,
        rest=dict(_rest(model, own, options)),
    )


def _of_norms(backbone: nn.Module, options: Mapping[int, tuple]) -> dict:
    norms = norms_of(backbone)
    batch = [norm for norm in norms if isinstance(norm, _BatchNorm)]
    synchronised = any(isinstance(norm, nn.SyncBatchNorm) for norm in batch)
    norm_eval = bool(batch) and not any(norm.training for norm in batch)
    return dict(
        norm=('SyncBN' if synchronised else 'BN') if batch else NO_BN,
        norm_momentum=frozenset() if norm_eval else frozenset(norm.momentum for norm in batch),
        norm_eps=frozenset(norm.eps for norm in batch),
        norm_eval=norm_eval,
        norm_learns=any(p.requires_grad for norm in batch for p in norm.parameters()),
        norm_options=_options_of((p for norm in norms for p in norm.parameters()), options),
    )


_SHAPES: dict[str, dict] = {}
"""What was found of backbones whose configs are equal."""


def _shape_of(config: Mapping, backbone: nn.Module) -> dict:
    """Of a backbone; a level of ours may have no conv of its own, so that it says what it froze."""
    if (key := repr(config)) not in _SHAPES:
        convs = [part for part in backbone.modules() if isinstance(part, nn.Conv2d)]
        ours = isinstance(backbone, LevelBackbone)
        _SHAPES[key] = dict(
            frozen=any(not conv.weight.requires_grad for conv in convs),
            frozen_stages=backbone.frozen_stages if ours else frozen_stages(backbone),
            dilation=largest_dilation(backbone),
            strides=tuple(stride for _, stride in measured(backbone)),
        )
    return _SHAPES[key]


def _options_of(parameters: Iterator[nn.Parameter], options: Mapping[int, tuple]) -> frozenset:
    return frozenset(options[id(p)] for p in parameters if id(p) in options)


def _weights(backbone: nn.Module) -> Iterator[nn.Parameter]:
    for part in backbone.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            yield part.weight


def _rest(
    model: nn.Module, own: tuple[str, ...], options: Mapping[int, tuple]
) -> Iterator[tuple[str, tuple]]:
    """What is not in a backbone, whose names begin with one of ``own``."""
    for name, parameter in model.named_parameters():
        if not name.startswith(own):
            yield name, (parameter.requires_grad, options.get(id(parameter)))
    norms = {id(norm) for norm in norms_of(model)}
    for name, part in model.named_modules():
        if id(part) in norms and not name.startswith(own):
            yield name, (type(part).__name__, part.training)


def _options(cfg: Config, model: BaseDetector) -> dict[int, tuple]:
    wrapper = cfg.get('optim_wrapper')
    if not wrapper or 'optimizer' not in wrapper or 'constructor' in wrapper:
        return {}
    return {id(p): options for p, options in parameter_options(wrapper, '', model)}


def _loaded(cfg: Config, path: str) -> Iterator[tuple[str, str]]:
    """Checkpoints of the whole config, and of all that has the backbone in it."""
    if cfg.get('load_from'):
        yield 'load_from', str(cfg.load_from)
    node, where = cfg, []
    for key in path.split('.'):
        node = node[key]
        where.append(key)
        yield from (
            ('.'.join([*where, name]), str(node[name])) for name in WEIGHTS if loads(node.get(name))
        )


def _checkpoints(node: object, place: str) -> Iterator[tuple[str, str]]:
    """All checkpoints of a model's config by their places."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if (key in WEIGHTS and loads(value)) or (key in CHECKPOINTS and value):
                yield f'{place}.{key}', str(value)
            else:
                yield from _checkpoints(value, f'{place}.{key}')
    elif isinstance(node, (list, tuple)):
        for number, part in enumerate(node):
            yield from _checkpoints(part, f'{place}[{number}]')

"""What a swap changed without a word: the models before and after, built and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mmdet.models import BaseDetector
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from shufflenet_det.detectors.levels import on_meta
from shufflenet_det.detectors.swap import Change, find_detector
from shufflenet_det.detectors.swap.optimizer import parameter_options
from shufflenet_det.detectors.swap.surroundings import loads
from shufflenet_det.detectors.swap.traits import norms_of
from shufflenet_det.detectors.trial import without_weights

NO_BN = 'no BN'


@dataclass(frozen=True)
class Meaning:
    """What a training makes of a config, read from the built model and its optimiser.

    Args:
        norm: BN, SyncBN or none, of the backbone.
        norm_eval: All its BN stays in eval mode while training.
        norm_learns: Its BN has affine parameters with gradient.
        frozen: Some of its convs have no gradient.
        dilation: Of the last stage's convs, where its stages can be dilated.
        trained: It starts from weights.
        norm_options: Learning rates and decays of its normalisation.
        loaded: Checkpoints that the rest of the detector starts from.
        rest: Name, gradient, options and mode of norms of all that is not the backbone.
    """

    norm: str
    norm_eval: bool
    norm_learns: bool
    frozen: bool
    dilation: int
    trained: bool
    norm_options: frozenset
    loaded: tuple[str, ...]
    rest: Mapping[str, tuple]


FIELDS = {
    'norm': ('backbone.norm_cfg',),
    'norm_eval': ('backbone.norm_eval', 'backbone.norm_cfg'),
    'norm_learns': ('backbone.norm_cfg',),
    'frozen': ('backbone.frozen_stages',),
    'dilation': (),
    'trained': ('backbone.init_cfg',),
    'norm_options': ('backbone.norm_cfg', 'optim_wrapper.constructor'),
    'loaded': ('load_from', 'init_cfg', 'pretrained'),
    'rest': ('optim_wrapper.constructor',),
}
"""Field -> ends of the paths of changes that say that it differs."""


def silent_changes(before: Config, after: Config, changes: Sequence[Change]) -> list[str]:
    """What differs between the built models of a config and its swap, and no change says.

    Weights count as given by the config: nothing is downloaded.
    """
    old, new = meaning_of(before), meaning_of(after)
    said = [change.path.partition('[')[0] for change in changes]
    return [
        f'{field}: {_short(getattr(old, field), getattr(new, field))}'
        for field, ends in FIELDS.items()
        if getattr(old, field) != getattr(new, field)
        and not any(f'.{path}.'.endswith(f'.{end}.') or f'.{path}'.rpartition('.')[0].endswith(end)
                    for path in said for end in ends)
    ]  # fmt: skip


def _short(old: object, new: object) -> str:
    if isinstance(old, Mapping):
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        return f'{len(names)} parameters, such as {names[0]}: ' + _short(
            old.get(names[0]), new.get(names[0])
        )
    return f'{old!r} -> {new!r}'


def meaning_of(cfg: Config) -> Meaning:
    """Build the model of a config on the meta device, and look."""
    path, detector = find_detector(cfg)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmdet'):
        model = on_meta(without_weights(cfg.model))
    model.train()
    names = path.split('.')[1:]
    if names and not hasattr(model, names[0]):  # a semi-supervised wrapper
        names = ['student']
    backbone = model.get_submodule('.'.join([*names, 'backbone']))
    own = ('backbone.', *(f'{name}.backbone.' for name in ('student', 'teacher', *names)))
    options = _options(cfg, model)
    affine = {id(p) for norm in norms_of(backbone) for p in norm.parameters()}
    batch = [norm for norm in norms_of(backbone) if isinstance(norm, _BatchNorm)]
    convs = [m for m in backbone.modules() if isinstance(m, nn.Conv2d)]
    checkpoints = tuple(_checkpoints(cfg, path))
    starts = [detector.backbone.get(key) for key in ('init_cfg', 'pretrained')]
    return Meaning(
        norm=_kind(batch),
        norm_eval=bool(batch) and not any(norm.training for norm in batch),
        norm_learns=any(p.requires_grad for norm in batch for p in norm.parameters()),
        frozen=any(not conv.weight.requires_grad for conv in convs),
        dilation=max(conv.dilation[0] for conv in convs[-3:]) if _has_dilation(backbone) else 1,
        trained=bool(checkpoints) or loads(starts),
        norm_options=frozenset(options[id(p)] for p in backbone.parameters()
                               if id(p) in affine and id(p) in options),
        loaded=checkpoints,
        rest={
            name: (p.requires_grad, options.get(id(p)))
            for name, p in model.named_parameters() if not name.startswith(own)
        },
    )  # fmt: skip


def _has_dilation(backbone: nn.Module) -> bool:
    return hasattr(backbone, 'dilations') or hasattr(backbone, 'last_dilation')


def _kind(batch: Sequence[nn.Module]) -> str:
    if not batch:
        return NO_BN
    return 'SyncBN' if isinstance(batch[-1], nn.SyncBatchNorm) else 'BN'


def _options(cfg: Config, model: BaseDetector) -> dict[int, tuple]:
    wrapper = cfg.get('optim_wrapper')
    if not wrapper or 'optimizer' not in wrapper or 'constructor' in wrapper:
        return {}
    return {id(p): options for p, options in parameter_options(wrapper, '', model)}


def _checkpoints(cfg: Config, path: str) -> Iterator[str]:
    if cfg.get('load_from'):
        yield cfg.load_from
    node = cfg
    for key in path.split('.'):
        node = node[key]
        for name in ('init_cfg', 'pretrained'):
            if loads(node.get(name)):
                yield str(node[name])

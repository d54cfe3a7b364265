"""Learning rates and weight decay that a config gives to parts of its backbone by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from .change import Change
from .traits import norms_of

Options = tuple[float | None, float | None]
"""Learning rate and weight decay."""


def keep_options(cfg: Config, path: str, old: nn.Module, new: nn.Module) -> Iterator[Change]:
    """Let the BN of the new backbone learn as the norms of the old one, and say what is lost.

    Args:
        cfg: The config, whose ``paramwise_cfg`` is changed.
        path: Of the detector.
        old, new: Its backbones, on the meta device.
    """
    wrapper = cfg.get('optim_wrapper') or {}
    constructor = str(wrapper.get('constructor') or '')
    if 'LearningRateDecay' in constructor:
        for key in ('constructor', 'paramwise_cfg'):
            before = wrapper.pop(key, None)
            yield Change(f'optim_wrapper.{key}', before, None, 'made for the old backbone')
    if not wrapper.get('paramwise_cfg') or constructor not in ('', _DEFAULT.__name__):
        return
    prefix = '.'.join([*path.split('.')[1:], 'backbone'])
    yield from _keep_norms(wrapper, prefix, old, new)
    keys = wrapper['paramwise_cfg'].get('custom_keys', {})
    names = [[f'{prefix}.{name}' for name, _ in net.named_parameters()] for net in (old, new)]
    for key in keys:
        matches = [any(key in name for name in of_net) for of_net in names]
        if matches == [True, False]:
            place = f'optim_wrapper.paramwise_cfg.custom_keys[{key!r}]'
            yield Change(
                place, dict(keys[key]), dict(keys[key]), 'matches no name of the new backbone'
            )


_DEFAULT = DefaultOptimWrapperConstructor


def _keep_norms(wrapper: Mapping, prefix: str, old: nn.Module, new: nn.Module) -> Iterator[Change]:
    before = _norm_options(wrapper, prefix, old)
    found = _norm_options(wrapper, prefix, new)
    if not before or not found or set(found) == set(before):
        return
    wanted = before.most_common(1)[0][0]
    optimizer = wrapper['optimizer']
    names = ('lr_mult', 'lr'), ('decay_mult', 'weight_decay')
    setting = {
        key: value / optimizer[of] if optimizer[of] else 1.0
        for (key, of), value in zip(names, wanted, strict=True) if value is not None
    }  # fmt: skip
    own = dict(wrapper['paramwise_cfg'].get('custom_keys', {}))
    for keys in (_common_parts(_norm_names(prefix, new)), _norm_names(prefix, new)):
        added = {key: dict(setting) for key in keys}
        wrapper['paramwise_cfg']['custom_keys'] = {**own, **added}
        if set(_norm_options(wrapper, prefix, new)) == {wanted}:
            break
    reason = 'BN of the new backbone learns as the norms of the old one'
    yield Change('optim_wrapper.paramwise_cfg.custom_keys', None, added, reason)


def _norm_options(wrapper: Mapping, prefix: str, backbone: nn.Module) -> Counter[Options]:
    """Options of the normalisation parameters that learn."""
    affine = {id(p) for norm in norms_of(backbone) for p in norm.parameters()}
    return Counter(
        options for parameter, options in parameter_options(wrapper, prefix, backbone)
        if id(parameter) in affine
    )  # fmt: skip


def parameter_options(
    wrapper: Mapping, prefix: str, module: nn.Module
) -> list[tuple[nn.Parameter, Options]]:
    """Each parameter that learns, and with what, as MMEngine's own constructor says.

    Args:
        wrapper: ``optim_wrapper`` of a config.
        prefix: Of the parameters' names.
        module: What has the parameters.
    """
    optimizer = wrapper['optimizer']
    logger = MMLogger.get_current_instance()
    groups, level = [], logger.level
    logger.setLevel('ERROR')  # a line for each parameter
    try:
        constructor = _DEFAULT(dict(optimizer=dict(optimizer)), wrapper.get('paramwise_cfg'))
        constructor.add_params(groups, module, prefix)
    finally:
        logger.setLevel(level)
    defaults = optimizer.get('lr'), optimizer.get('weight_decay')
    return [
        (group['params'][0], (group.get('lr', defaults[0]), group.get('weight_decay', defaults[1])))
        for group in groups
    ]


def _norm_names(prefix: str, backbone: nn.Module) -> list[str]:
    norms = set(norms_of(backbone))
    return [f'{prefix}.{name}.' for name, module in backbone.named_modules() if module in norms]


def _common_parts(names: Iterable[str]) -> list[str]:
    """Names without the stage and the number of the unit: few, but longer ones of the config win.

    MMEngine takes the longest key that a name has in it.
    """
    return sorted({re.sub(r'^.*\.stage\d+\.\d+\.', '', name) for name in names})

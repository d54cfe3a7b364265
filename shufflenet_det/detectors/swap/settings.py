"""The config of the new backbone: what the old one does, as far as ours can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from shufflenet_det.archs import LEVEL_STRIDES

from .change import Change
from .traits import Traits

FREE = dict(frozen_stages=-1, norm_eval=False)
"""Our backbones' own defaults, which need not be written."""


def matching_levels(traits: Traits, kind: str) -> tuple[int, ...]:
    """The out_indices of our backbones that hand out what a backbone does.

    Raises:
        ValueError: If ours do not have one of its strides, or not twice.
    """
    strides = [stride for _, stride in traits.levels]
    ours = LEVEL_STRIDES[:4]
    if traits.output_stride == 16:
        return tuple(traits.built.out_indices)
    if list(strides) != sorted(set(strides) & set(ours)):
        raise ValueError(
            f'the backbone {kind} hands out strides {strides}; ours have each of {list(ours)} '
            f'once: {_stride_remedy(strides)}'
        )
    return tuple(ours.index(stride) for stride in strides)


def _stride_remedy(strides: Sequence[int]) -> str:
    if min(strides) < LEVEL_STRIDES[0]:
        return (
            'a map of stride 1 is the image, which the neck RFP runs through the backbone again; '
            'take the config of a detector with another neck, such as FPN'
        )
    if max(strides) > LEVEL_STRIDES[3]:
        return (
            'take the config of this detector without the deeper levels, if there is one, or '
            'leave them out of out_indices and let the neck make them'
        )
    return (
        'stacked maps of one stride are the predictions of a net in several steps, which only '
        'such a net has; take the config of a detector on a pyramid, as FCOS or CenterNet are'
    )


def kept_settings(traits: Traits, old: Mapping, trained: bool, all_weights: bool) -> dict:
    """Settings of ours that do what the old backbone does.

    Args:
        traits: Of the old backbone.
        old: Its config.
        trained: Whether it starts from weights.
        all_weights: Whether ours starts from weights for all its layers. Freezing goes with
            them: where the old backbone had some and ours has none, nothing is frozen.
    """
    norm = dict(traits.norm_cfg or {})
    free = trained and not all_weights
    frozen = dict(frozen_stages=traits.frozen_stages, norm_eval=traits.norm_eval)
    if traits.norm_cfg is None:  # what does not depend on the batch, and ours does not either
        frozen['norm_eval'] = all_weights
    if free:
        frozen = FREE
        norm.pop('requires_grad', None)
    if all_weights:
        norm.pop('eps', None)  # it belongs to the weights
    kept = {'with_cp': old['with_cp']} if old.get('with_cp') else {}
    kept.update({key: value for key, value in frozen.items() if value != FREE[key]})
    if norm not in ({}, dict(type='BN')):
        kept['norm_cfg'] = norm
    if traits.output_stride == 16:
        kept.update(output_stride=16, last_dilation=traits.last_dilation)
    return kept


def differences(traits: Traits, kept: Mapping, trained: bool, path: str) -> Iterator[Change]:
    """What the new backbone does in another way than the old one as built."""
    reason = 'there are no weights for all layers' if trained else ''
    norm = dict(traits.norm_cfg or {})
    new = kept.get('norm_cfg', dict(type='BN'))
    if traits.norm_cfg is None:
        fixed = 'with the statistics of the weights' if kept.get('norm_eval') else 'trained'
        name = traits.other_norm or 'no normalisation'
        yield Change(f'{path}.norm_cfg', name, new, f'ours are nets of BN, here {fixed}')
    else:
        if 'eps' in norm and 'eps' not in new:
            yield Change(f'{path}.norm_cfg.eps', norm['eps'], None, 'that of the new weights')
        if norm.get('requires_grad', True) != new.get('requires_grad', True):
            yield Change(f'{path}.norm_cfg.requires_grad', False, True, reason)
        if traits.norm_eval != kept.get('norm_eval', False):
            yield Change(f'{path}.norm_eval', traits.norm_eval, kept.get('norm_eval'), reason)
    if traits.frozen_stages != kept.get('frozen_stages', -1):
        yield Change(f'{path}.frozen_stages', traits.frozen_stages, -1, reason)
    dilation = kept.get('last_dilation', 1)
    if traits.dilation != dilation:
        yield Change(f'{path}.dilation', traits.dilation, dilation, 'convs of the old backbone')
    if trained and 'init_cfg' not in kept:
        yield Change(f'{path}.init_cfg', 'weights', None, 'the new backbone starts from scratch')

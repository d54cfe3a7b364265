"""Channels and strides that a Light-Head R-CNN config leaves out, read from the backbone."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence

from .channel_fields import ChannelField
from .levels import Level, backbone_levels


def fill_from_backbone(
    backbone: dict, neck: dict | None, rpn_head: dict, roi_head: dict
) -> tuple[dict | None, dict, dict]:
    """Copies of the three configs with channels and strides filled in.

    Of a backbone that cannot be tried out they must stand in the configs.

    Raises:
        ValueError: If a config states a value that is not the backbone's.
    """
    neck, rpn_head, roi_head = copy.deepcopy((neck, rpn_head, roi_head))
    try:
        levels = backbone_levels(backbone)
    except ValueError:
        return neck, rpn_head, roi_head
    if neck is not None:
        _fill(neck, 'in_channels', [channels for channels, _ in levels], 'neck')
        _check_pyramid([stride for _, stride in levels])
        levels = neck_levels(neck, levels)
    rpn_levels = _pick(levels, rpn_head.get('in_indices'), 'rpn_head')
    _fill(rpn_head, 'in_channels', rpn_levels[0][0], 'rpn_head')
    strides = [stride for _, stride in rpn_levels]
    _fill(rpn_head['anchor_generator'], 'strides', strides, 'rpn_head.anchor_generator')

    roi_levels = _pick(levels, roi_head.get('in_indices', (-1,)), 'roi_head')
    _fill(roi_head['thin_map'], 'in_channels', roi_levels[0][0], 'roi_head.thin_map')
    strides = [stride for _, stride in roi_levels]
    extractor = roi_head['bbox_roi_extractor']
    _fill(extractor, 'featmap_strides', strides, 'roi_head.bbox_roi_extractor')
    return neck, rpn_head, roi_head


def neck_levels(neck: dict, levels: list[Level]) -> list[Level]:
    """(channels, stride) of each output of an FPN-like neck over the backbone's levels."""
    strides = [stride for _, stride in levels][neck.get('start_level', 0) :]
    while len(strides) < neck.get('num_outs', 0):
        strides.append(strides[-1] * 2)
    return [(neck['out_channels'], stride) for stride in strides]


def _check_pyramid(strides: Sequence[int]) -> None:
    if any(b != 2 * a for a, b in itertools.pairwise(strides)):
        raise ValueError(
            f'neck: the backbone hands out strides {list(strides)}, and a pyramid needs each twice '
            'the one before: set backbone.output_stride=32, and leave out the option atrous'
        )


def _pick(levels: list, indices: Sequence[int] | None, name: str) -> list[Level]:
    try:
        picked = levels if indices is None else [levels[i] for i in indices]
    except IndexError:
        raise ValueError(
            f'{name}.in_indices={tuple(indices)} is not allowed: backbone and neck hand out '
            f'{len(levels)} levels'
        ) from None
    if len({channels for channels, _ in picked}) > 1:
        raise ValueError(
            f'{name} reads levels of different widths {[c for c, _ in picked]}; choose one level '
            'with in_indices, or put a neck (FPN) between'
        )
    return picked


def _fill(config: dict, key: str, value: int | list[int], name: str) -> None:
    config.setdefault(key, value)
    given = [value] if isinstance(value, int) else value
    ChannelField(name, config, key).require(given, 'backbone and neck give', 'leave it out')

"""Writes the new backbone's channels where those of the old one stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from mmengine.config import ConfigDict
from torch import nn

from shufflenet_det.detectors.channel_fields import ChannelField, head_fields, neck_fields
from shufflenet_det.detectors.levels import Level, feature, on_meta

from .change import Change


def set_fields(
    detector: ConfigDict, path: str, old: Sequence[int], new: Sequence[int]
) -> Iterator[Change]:
    """Set every field that says the old channels.

    Raises:
        ValueError: If there is none, or one that says others.
    """
    shared = detector.get('roi_head', {}).get('shared_head')
    if shared:
        raise ValueError(
            f'{path}.roi_head.shared_head ({shared["type"]}) is the last stage of the old backbone '
            f'({detector.backbone.type}), made for its {list(old)} channels: take the FPN or DC5 '
            'config of this detector, or a roi_head without shared_head'
        )
    found = list(neck_fields(detector)) if detector.get('neck') else []
    found = found or _fields_of_heads(detector, old)
    doubts = [f'{path}.{field}={field.value!r}' for field in found if not field.reads(old)]
    if doubts or not found:
        stated = [f'{path}.{field}={field.value!r}' for field in head_fields(detector)]
        raise ValueError(
            f'cannot tell what reads the {list(old)} channels of {path}.backbone '
            f'({detector.backbone.type}); the config says '
            f'{", ".join(doubts or stated) or "no in_channels"}'
            f'. Set the backbone by hand, and in_channels of what reads it to {list(new)}'
        )
    for field in found:
        before, after = field.value, field.fitting(new, old)
        field.node[field.key] = after
        yield Change(f'{path}.{field}', before, after)


def _fields_of_heads(detector: ConfigDict, old: Sequence[int]) -> list[ChannelField]:
    """Where no neck says channels: the fields that say all of the backbone, or those of its one."""
    return [
        field for field in head_fields(detector)
        if field.reads(old)
        and (len(old) == 1 or not isinstance(field.value, int) or 'in_index' in field.node)
    ]  # fmt: skip


def try_necks(detector: ConfigDict, path: str, before: ConfigDict, levels: Sequence[Level]) -> None:
    """Run all necks on the meta device, so that what is written works.

    Args:
        detector: With the new backbone.
        path: Of the detector.
        before: The detector with the old backbone.
        levels: Of the new and of the old backbone.

    Raises:
        ValueError: If a neck does not take the outputs.
    """
    failed = _failing_neck(detector, levels[0])
    if failed is None:
        return
    name, neck, error = failed
    said = f'{path}.{name} ({neck.type}: {type(error).__name__}: {error})'
    if _failing_neck(before, levels[1]):
        raise ValueError(f'{said}: fails with the old backbone too; mend the config first')
    groups = (neck.get('norm_cfg') or {}).get('num_groups')
    remedy = (
        f'its GN of {groups} groups does not divide the channels that it makes of ours: set '
        f"{path}.{name}.norm_cfg=dict(type='SyncBN') in the config first"
        if groups and 'num_groups' in str(error)
        else 'take another neck, such as FPN, or set the backbone by hand'
    )
    raise ValueError(f'{said}: does not take the outputs of the new backbone; {remedy}')


def _failing_neck(
    detector: ConfigDict, levels: Sequence[Level]
) -> tuple[str, ConfigDict, Exception] | None:
    necks = detector.get('neck') or []
    several = isinstance(necks, Sequence)
    features = tuple(feature(*level) for level in levels)
    for number, neck in enumerate(necks if several else [necks]):
        try:
            features = _run(on_meta(neck), features)
        except NotImplementedError:  # an op of mmcv that is not compiled here says nothing
            return None
        except Exception as error:
            return f'neck[{number}]' if several else 'neck', neck, error
    return None


def _run(neck: nn.Module, features: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    with torch.no_grad():
        return neck(features)

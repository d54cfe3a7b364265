"""What reads the backbone in a detector's config, and whether it expects the right channels.

Importing the package installs the check: a detector of MMDetection around one of our backbones
whose neck or head was left with another backbone's ``in_channels`` says so when it is built.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from mmdet.models import BaseDetector
from torch import nn

from .levels import TRIAL, published

DEEPEST_FIRST = ('YOLOV3Neck',)
"""Necks whose in_channels start with the deepest level."""

PASSING_ON = ('SSDNeck',)
"""Necks that hand the backbone's levels on unchanged, before those that they make."""


@dataclass(frozen=True)
class ChannelField:
    """A field of a detector's config that must agree with the backbone.

    Args:
        path: The node below the detector, e.g. ``neck`` or ``neck[0]``.
        node: The config that has the field.
        key: The field: channels of one level, or of each level.
        further: Channels of levels that the neck adds may follow.
    """

    path: str
    node: Mapping
    key: str = 'in_channels'
    further: bool = False

    @property
    def value(self) -> int | Sequence[int]:
        """What the field expects now: channels, or those of each level."""
        return self.node[self.key]

    def __str__(self) -> str:
        return f'{self.path}.{self.key}'

    def reads(self, channels: Sequence[int]) -> bool:
        """Whether the field says these channels of the backbone's outputs."""
        if isinstance(self.value, int):
            return self.value in channels
        stated = list(self.value)
        return (stated[: len(channels)] if self.further else stated) == self._ordered(channels)

    def fitting(
        self, channels: Sequence[int], before: Sequence[int] | None = None
    ) -> int | Sequence[int]:
        """The value for these channels, of the type that the field has.

        Args:
            channels: Of each output of the backbone.
            before: Of each output of the backbone that the field was written for.
        """
        if isinstance(self.value, int):
            known = before is not None and self.value in before
            return channels[list(before).index(self.value) if known else -1]
        further = list(self.value[len(channels) :]) if self.further else []
        return type(self.value)(self._ordered(channels) + further)

    def require(self, channels: Sequence[int], giver: str, remedy: str) -> None:
        """Raise ValueError, with the value to write or the remedy, unless the field says these."""
        if not self.reads(channels):
            raise ValueError(
                f'model.{self}={self.value!r}, but {giver} {list(channels)}: '
                f'write model.{self}={self.fitting(channels)!r}, or {remedy}'
            )

    def _ordered(self, channels: Sequence[int]) -> list[int]:
        return list(channels)[:: -1 if self.node.get('type') in DEEPEST_FIRST else 1]


def neck_fields(detector: Mapping) -> Iterator[ChannelField]:
    """The fields of a neck, or of the first of several, that the backbone decides."""
    neck, path = detector['neck'], 'neck'
    if isinstance(neck, Sequence):
        neck, path = neck[0], 'neck[0]'
    if 'in_channels' in neck:
        yield ChannelField(path, neck)
        if neck.get('type') in PASSING_ON:
            yield ChannelField(path, neck, 'out_channels', further=True)
            yield ChannelField('bbox_head', detector['bbox_head'], further=True)


def head_fields(detector: Mapping, path: str = '') -> Iterator[ChannelField]:
    """Every field below the heads of a detector without neck that could name channels."""
    for name, node in detector.items():
        where = f'{path}.{name}' if path else name
        if not isinstance(node, Mapping) or name in ('backbone', 'train_cfg', 'test_cfg'):
            continue
        if isinstance(node.get('in_channels'), (int, Sequence)):
            yield ChannelField(where, node)
        if name.endswith('roi_extractor') and 'out_channels' in node:
            yield ChannelField(where, node, 'out_channels')
        yield from head_fields(node, where)


def check_channels(config: Mapping, detector: BaseDetector) -> None:
    """Raise where what reads the backbone of a built detector expects other channels.

    Only backbones that publish out_channels, as ours do, are looked at. A config that states
    other numbers is tried out on the meta device first, so that detectors which arrange the
    levels in their own way are left alone.

    Raises:
        ValueError: Naming the field, both numbers and the fix.
    """
    backbone = detector.backbone
    levels = published(backbone)
    if levels is None or not isinstance(detector, BaseDetector):
        return
    channels = [width for width, _ in levels]
    if config.get('neck'):
        found = neck_fields(config)
    else:
        found = (field for field in head_fields(config) if '.' not in field.path)
    wrong = next((field for field in found if not field.reads(channels)), None)
    if wrong is not None and _fails(detector, wrong):
        wrong.require(
            channels,
            f'the backbone {type(backbone).__name__} (out_indices={backbone.out_indices}) hands '
            f'out {len(channels)} levels of channels',
            'let tools/swap_backbone.py write the config',
        )


def _fails(detector: BaseDetector, field: ChannelField) -> bool:
    """Whether a detector, without touching it, cannot compute what the field makes."""
    trial = copy.deepcopy(detector).to('meta')
    trial.eval()
    with torch.no_grad():
        try:
            features = trial.extract_feat(torch.empty(TRIAL, device='meta'))
        except NotImplementedError:
            return False
        except (AssertionError, IndexError, RuntimeError, TypeError, ValueError):
            return True
        head = getattr(trial, field.path, None)
        if not isinstance(head, nn.Module) or field.path == 'neck':
            return False
        try:
            head(features)
        except Exception as error:  # of a head that wants more than features: nothing to say
            return type(error) is RuntimeError
    return False

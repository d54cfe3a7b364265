"""What reads the backbone in a model's config, and whether it expects the right channels.

Importing the package installs the check: a model of MMDetection, mmsegmentation, mmpretrain, mmpose
or mmyolo around one of our backbones whose neck or head was left with another backbone's
``in_channels`` says so when it is built.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from mmengine.model import BaseModel
from torch import nn

from .levels import TRIAL, published

DEEPEST_FIRST = ('YOLOV3Neck',)
"""Necks whose in_channels start with the deepest level."""

MULTIPLE = 8
"""Of the channels that mmyolo's necks take, where they are widened."""

PASSING_ON = ('SSDNeck', 'YOLOv5PAFPN', 'YOLOv8PAFPN')
"""Necks that hand on maps of the backbone's widths, before those that they make."""


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
            return self.value in self._ordered(channels)
        stated = list(self.value)
        if self.widen_factor != 1:  # mmyolo's necks round in one of two ways
            widths = [value * self.widen_factor for value in stated]
            rounded = [[math.ceil(w / MULTIPLE) * MULTIPLE for w in widths], list(map(int, widths))]
            return self._ordered(channels) in rounded
        return (stated[: len(channels)] if self.further else stated) == self._ordered(channels)

    @property
    def widen_factor(self) -> float:
        """What a neck of mmyolo multiplies the value by."""
        return self.node.get('widen_factor', 1)

    def fitting(
        self, channels: Sequence[int], before: Sequence[int] | None = None
    ) -> int | Sequence[int]:
        """The value for these channels, of the type that the field has.

        Args:
            channels: Of each output of the backbone.
            before: Of each output of the backbone that the field was written for.
        """
        if isinstance(self.value, int):
            if 'in_index' in self.node:
                return (self._ordered(channels) or channels)[-1]
            known = before is not None and self.value in before
            return channels[list(before).index(self.value) if known else -1]
        if self.widen_factor != 1:
            return type(self.value)(round(c / self.widen_factor) for c in self._ordered(channels))
        further = list(self.value[len(channels) :]) if self.further else []
        return type(self.value)(self._ordered(channels) + further)

    def require(self, channels: Sequence[int], giver: str, remedy: str) -> None:
        """Raise ValueError, with the value to write or the remedy, unless the field says these."""
        if not self.reads(channels):
            self.refuse(channels, giver, remedy)

    def refuse(self, channels: Sequence[int], giver: str, remedy: str) -> None:
        """Raise ValueError with the value to write, or the remedy."""
        value, fitting = self.value, self.fitting(channels)
        if value == fitting:  # a neck that rounds what it is told
            raise ValueError(
                f'model.{self}={value!r} with widen_factor={self.widen_factor}: the neck rounds to '
                f'multiples of {MULTIPLE}, and {giver} {list(channels)}: take an arch with such '
                'channels, 0.5x or 1.5x'
            )
        raise ValueError(
            f'model.{self}={value!r}, but {giver} {list(channels)}: '
            f'write model.{self}={fitting!r}, or {remedy}'
        )

    def _ordered(self, channels: Sequence[int]) -> list[int]:
        """Channels in the order that the node reads them, of those levels that it says it reads."""
        if 'in_index' in self.node:
            index = self.node['in_index']
            picked = [index] if isinstance(index, int) else index
            known = range(-len(channels), len(channels))
            return [channels[number] for number in picked if number in known]
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
            head, where = detector['bbox_head'], 'bbox_head'
            if 'head_module' in head:  # mmyolo's
                head, where = head['head_module'], 'bbox_head.head_module'
            yield ChannelField(where, head, further=True)


def head_fields(detector: Mapping, path: str = '') -> Iterator[ChannelField]:
    """Every field below the heads of a model without neck that could name channels."""
    for name, node in _children(detector):
        where = f'{path}.{name}' if path else name
        if not isinstance(node, Mapping) or name in ('backbone', 'train_cfg', 'test_cfg'):
            continue
        if isinstance(node.get('in_channels'), (int, Sequence)):
            yield ChannelField(where, node)
        if name.endswith('roi_extractor') and 'out_channels' in node:
            yield ChannelField(where, node, 'out_channels')
        yield from head_fields(node, where)


def _children(node: Mapping) -> Iterator[tuple[str, object]]:
    for name, child in node.items():
        if isinstance(child, Sequence) and not isinstance(child, str):
            yield from ((f'{name}[{number}]', item) for number, item in enumerate(child))
        else:
            yield name, child


def check_channels(config: Mapping, detector: BaseModel) -> None:
    """Raise where what reads the backbone of a built model expects other channels.

    Only backbones that publish out_channels, as ours do, are looked at. A config that states
    other numbers is tried out on the meta device first, so that models which arrange the
    levels in their own way are left alone; so is one whose neck rounds what the config states.

    Raises:
        ValueError: Naming the field, both numbers and the fix.
    """
    backbone = detector.backbone
    levels = published(backbone)
    if levels is None or not isinstance(detector, BaseModel):
        return
    channels = [width for width, _ in levels]
    found = list(neck_fields(config)) if config.get('neck') else []
    found = found or [field for field in head_fields(config) if '.' not in field.path]
    doubtful = (f for f in found if f.widen_factor != 1 or not f.reads(channels))
    for field in doubtful:
        if _fails(detector, field):
            field.refuse(
                channels,
                f'the backbone {type(backbone).__name__} (out_indices={backbone.out_indices}) '
                f'hands out {len(channels)} levels of channels',
                'let tools/swap_backbone.py write the config',
            )


def _fails(detector: BaseModel, field: ChannelField) -> bool:
    """Whether a model, without touching it, cannot compute what the field makes."""
    trial = copy.deepcopy(detector).to('meta')
    trial.eval()
    for module in trial.modules():
        if isinstance(module, nn.ConvTranspose2d):
            module.register_forward_pre_hook(_check_width)
    with torch.no_grad():
        try:
            features = trial.extract_feat(torch.empty(TRIAL, device='meta'))
        except (AttributeError, NotImplementedError):
            return False
        except (AssertionError, IndexError, RuntimeError, TypeError, ValueError):
            return True
        name, _, number = field.path.rstrip(']').partition('[')
        head = getattr(trial, name, None)
        head = head[int(number)] if number and isinstance(head, nn.ModuleList) else head
        if not isinstance(head, nn.Module) or field.path == 'neck':
            return False
        try:
            head(features)
        except Exception as error:  # of a head that wants more than features: nothing to say
            return type(error) is RuntimeError
    return False


def _check_width(conv: nn.ConvTranspose2d, inputs: tuple[torch.Tensor, ...]) -> None:
    """On the meta device a transposed conv takes any number of channels."""
    if inputs[0].shape[1] != conv.in_channels:
        raise RuntimeError(f'{inputs[0].shape[1]} channels where {conv.in_channels} are needed')

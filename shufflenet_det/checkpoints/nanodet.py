"""Checkpoints of NanoDet's own project: its names to those of the detectors here.

Source: RangiLyu/nanodet (Apache-2.0). Its files are ``{'state_dict': {'model.' + name: tensor}}``
from v0.3 on, with averaged weights under ``avg_model.``, ``{'state_dict': {name: tensor}, ...}``
before, or a plain dict of tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_WRAPPERS = ('model.', 'avg_model.')
"""In the order in which they are read: averaged weights replace the others."""

_RENAMED = (
    (r'^fpn\.reduce_layers\.', 'neck.lateral_convs.'),
    (r'^aux_fpn\.reduce_layers\.', 'aux_neck.lateral_convs.'),
    (r'^(aux_)?fpn\.', r'\1neck.'),
    (r'^head\.', 'bbox_head.'),
    (r'_blocks\.(\d+)\.blocks\.0\.', r'_blocks.\1.'),
    (r'\.(primary_conv|cheap_operation)\.0\.', r'.\1.conv.'),
    (r'\.(primary_conv|cheap_operation)\.1\.', r'.\1.bn.'),
    (r'\.shortcut\.0\.', '.shortcut.depthwise_conv.conv.'),
    (r'\.shortcut\.1\.', '.shortcut.depthwise_conv.bn.'),
    (r'\.shortcut\.2\.', '.shortcut.pointwise_conv.conv.'),
    (r'\.shortcut\.3\.', '.shortcut.pointwise_conv.bn.'),
    (r'\.(depth|point)wise\.', r'.\1wise_conv.conv.'),
    (r'\.dwnorm\.', '.depthwise_conv.bn.'),
    (r'\.pwnorm\.', '.pointwise_conv.bn.'),
    (r'\.distribution_project\.', '.integral.'),
)
"""(pattern, replacement), applied in this order; the backbone's names are torchvision's in both."""

_UNUSED = re.compile(r'head\.gfl_reg\.\d')
"""Made by the head that shares its tower between classes and boxes, and never called."""


def is_nanodet(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether these are the names of a whole detector of NanoDet's own project."""
    return any(f'{wrapper}head.gfl_cls.0.weight' in state_dict for wrapper in ('', *_WRAPPERS))


def from_nanodet(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the names of ``detectors.nanodet``, averaged weights where there are any.

    Args:
        state_dict: One for which :func:`is_nanodet` holds, with or without Lightning's prefixes.
    """
    found = {key: value for key, value in state_dict.items() if not key.startswith(_WRAPPERS)}
    for wrapper in _WRAPPERS:
        found |= {
            key.removeprefix(wrapper): value
            for key, value in state_dict.items()
            if key.startswith(wrapper)
        }
    return {_renamed(key): value for key, value in found.items() if not _UNUSED.match(key)}


def _renamed(key: str) -> str:
    for pattern, replacement in _RENAMED:
        key = re.sub(pattern, replacement, key)
    return key


def part_of(checkpoint: Mapping, prefix: str) -> dict[str, Tensor]:
    """The tensors of one part of a detector, in a file of NanoDet's own project or of ours.

    Args:
        checkpoint: Content of a file.
        prefix: Of the part's names here, e.g. ``'neck.'``.

    Raises:
        ValueError: If there are none.
    """
    state = checkpoint.get('state_dict', checkpoint)
    state = from_nanodet(state) if is_nanodet(state) else state
    part = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
    if not part:
        parts = sorted({key.partition('.')[0] for key in state})
        raise ValueError(f'no tensor of the file begins with {prefix!r}; its parts are {parts}')
    return part

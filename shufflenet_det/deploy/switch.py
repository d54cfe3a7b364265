"""A whole model in its inference form: batch norm folded, shuffles gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from mmcv.cnn import ConvModule
from torch import nn

from shufflenet_det.backbones.shufflenet_v2 import ShuffleNetV2

from .convert import shuffle_free
from .fuse import fold_conv_modules, reorder
from .shuffle_free import ShuffleFreeBackbone


def onnx_align() -> int:
    """What to pad pieces of channels to for ONNX Runtime on this machine's CPU.

    Its AVX-512 kernels work on blocks of 16 channels, and pieces that fill them need no change of
    layout. On AVX2 this costs more multiply-adds than it saves.
    """
    return 16 if torch.backends.cpu.get_cpu_capability() == 'AVX512' else 1


@dataclass(frozen=True)
class Reader:
    """A conv that reads an output of the backbone directly.

    Args:
        level: Index into the backbone's outputs.
        conv: The conv, whose weight absorbs the order of the channels.
        start: Input channels of the conv that stand in front of the level's.
    """

    level: int
    conv: nn.Conv2d
    start: int = 0


Readers = Callable[[nn.Module], 'list[Reader] | None']


@torch.no_grad()
def switch_to_deploy(model: nn.Module, readers: Readers | None = None, align: int = 1) -> nn.Module:
    """Fold batch norm and remove the channel shuffles of a backbone or a whole detector.

    The result is in eval mode and in channels-last format, and cannot be trained. A backbone is
    left as it is and its new form returned; a detector is changed in place and returned. Where
    the convs that read the backbone's outputs are known, their weights absorb the order of the
    channels; ``model.backbone`` then gives out channels in the order of its ``level_orders``.
    Elsewhere one gather a level restores the original order. A detector built from a config with
    a ShuffleFreeBackbone only gets its remaining batch norms folded, and can then load the
    checkpoint of a switched one.

    Args:
        model: A ShuffleNetV2, or a detector with one as ``model.backbone``.
        readers: Finds all convs that read the backbone's outputs, or returns None where these
            cannot absorb an order; :func:`known_readers` unless given.
        align: As in ShuffleFreeBackbone.

    Raises:
        ValueError: If there is no ShuffleNetV2, or it has convs or norms that do not fold.
    """
    if isinstance(model, ShuffleNetV2):
        return shuffle_free(model, align=align)
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, (ShuffleNetV2, ShuffleFreeBackbone)):
        found = type(model if backbone is None else backbone).__name__
        raise ValueError(
            f'found {found} where a ShuffleNetV2 is needed; give a ShuffleNetV2 backbone, or a '
            'detector whose config has backbone=dict(type="ShuffleNetV2", ...)'
        )
    fold_conv_modules(model)
    if isinstance(backbone, ShuffleNetV2):
        convs = (readers or known_readers)(model)
        model.backbone = shuffle_free(backbone, original_order=convs is None, align=align)
        for reader in convs or []:
            _absorb(reader, model.backbone.level_orders[reader.level])
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _absorb(reader: Reader, order: list[int]) -> None:
    conv, start = reader.conv, reader.start
    channels = sum(channel >= 0 for channel in order)
    before, level, after = conv.weight.split(
        [start, channels, conv.in_channels - start - channels], dim=1
    )
    conv.weight = nn.Parameter(torch.cat((before, reorder(level, order, dim=1), after), dim=1))
    conv.in_channels = conv.weight.shape[1]


def known_readers(model: nn.Module) -> list[Reader] | None:
    """All convs of a detector that read the backbone's outputs, or None if not known."""
    neck = getattr(model, 'neck', None)
    find = FIND_READERS.get(type(model if neck is None else neck).__name__)
    if find is None:
        return None
    found = list(find(model if neck is None else neck))
    shared = max(Counter(id(reader.conv) for reader in found).values()) > 1
    plain = all(type(reader.conv) is nn.Conv2d and reader.conv.groups == 1 for reader in found)
    return found if plain and not shared else None


def _of_fpn(neck: nn.Module) -> Iterator[Reader]:
    for i, lateral in enumerate(neck.lateral_convs):
        yield Reader(i + neck.start_level, lateral.conv)
    used = len(neck.lateral_convs)
    if neck.add_extra_convs == 'on_input' and len(neck.fpn_convs) > used:
        yield Reader(neck.backbone_end_level - 1, neck.fpn_convs[used].conv)


def _of_cspnext_pafpn(neck: nn.Module) -> Iterator[Reader]:
    top = len(neck.in_channels) - 1
    yield Reader(top, neck.reduce_layers[0].conv)
    for i, block in enumerate(neck.top_down_blocks):
        level = top - 1 - i
        for module in (block.main_conv, block.short_conv):
            yield Reader(level, module.conv, start=neck.in_channels[level])


def _of_nanodet(neck: nn.Module) -> Iterator[Reader]:
    return (Reader(i, lateral.conv) for i, lateral in enumerate(neck.lateral_convs))


def _of_light_head(model: nn.Module) -> Iterator[Reader]:
    levels = range(len(model.backbone.out_channels))
    rpn_levels = levels if model.rpn_head.in_indices is None else model.rpn_head.in_indices
    for index in rpn_levels:
        yield Reader(levels[index], _first_conv(model.rpn_head.rpn_conv))
    thin_map = model.roi_head.thin_map
    for index in model.roi_head.in_indices:
        yield Reader(levels[index], thin_map.column_row[0])
        yield Reader(levels[index], thin_map.row_column[0])


def _first_conv(module: nn.Module) -> nn.Module:
    first = module[0] if isinstance(module, nn.Sequential) else module
    return first.conv if isinstance(first, ConvModule) else first


FIND_READERS = {
    'FPN': _of_fpn,
    'CSPNeXtPAFPN': _of_cspnext_pafpn,
    'NanoDetPAN': _of_nanodet,
    'GhostPAN': _of_nanodet,
    'LightHeadRCNN': _of_light_head,
}
"""Finder of the readers by the type of the neck, or of the detector where it has no neck."""

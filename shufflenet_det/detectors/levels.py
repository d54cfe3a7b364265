"""What the backbone of any config of MMDetection hands out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from mmdet.registry import MODELS
from torch import nn
from torch.overrides import TorchFunctionMode

from shufflenet_det.integration.config_nodes import nodes

TRIAL = (2, 3, 512, 512)
"""Shape of the images that a backbone or detector is tried out with, on the meta device."""

Level = tuple[int, int]
"""Channels and stride of one output."""


def backbone_levels(backbone: Mapping) -> list[Level]:
    """What a backbone config gives: as the backbone publishes it, or as it comes out of a trial.

    Raises:
        ValueError: If it cannot be built, or its outputs are no feature maps.
    """
    return built_backbone(backbone)[1]


def built_backbone(backbone: Mapping) -> tuple[nn.Module, list[Level]]:
    """A backbone on the meta device, in eval mode, and what it gives.

    Raises:
        ValueError: If it cannot be built, or its outputs are no feature maps.
    """
    downloads = {'init_cfg': None}
    if 'pretrained' in backbone:
        downloads['pretrained'] = None if isinstance(backbone['pretrained'], str) else False
    try:
        built = on_meta(dict(backbone, **downloads))
        return built, published(built) or measured(built)
    except Exception as error:
        raise ValueError(
            f'the backbone {backbone.get("type")} of the config cannot be tried out '
            f'({type(error).__name__}: {error}), so that its outputs are unknown; install what '
            'it needs, or set backbone and in_channels by hand'
        ) from error


def published(backbone: nn.Module) -> list[Level] | None:
    """The levels that a built backbone publishes, as ours do; None where it does not."""
    if not (hasattr(backbone, 'out_channels') and hasattr(backbone, 'out_strides')):
        return None
    return list(zip(backbone.out_channels, backbone.out_strides, strict=True))


def measured(backbone: nn.Module) -> list[Level]:
    """The levels that come out of a backbone on the meta device."""
    with torch.no_grad():
        outputs = backbone(torch.empty(TRIAL, device='meta'))
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else outputs
    return [(out.shape[1], round(TRIAL[2] / out.shape[2])) for out in outputs]


def on_meta(config: Mapping) -> nn.Module:
    """A module in eval mode without memory for its weights; MMSyncBN is SyncBN in it."""
    config = copy.deepcopy(config)
    for node in nodes(config):
        if node.get('type') == 'MMSyncBN':  # which asks for its process group when it is built
            node['type'] = 'SyncBN'
    try:
        with torch.device('meta'), _Ranges():
            module = MODELS.build(copy.deepcopy(config))
    except RuntimeError:  # constructors that compute with numbers of tensors
        module = MODELS.build(config)
    module.to('meta')  # what torch.Tensor made
    module.eval()  # MMDetection's backbones do not return themselves
    return module


class _Ranges(TorchFunctionMode):
    """Ranges keep their numbers: constructors of transformers compute with them."""

    def __torch_function__(
        self, func: Callable, types: object, args: tuple = (), kwargs: Mapping | None = None
    ) -> object:
        where = {'device': 'cpu'} if func is torch.linspace else {}
        return func(*args, **(where | dict(kwargs or {})))


def feature(channels: int, stride: int) -> torch.Tensor:
    """A map of a level for the images of TRIAL, on the meta device."""
    batch, _, height, width = TRIAL
    return torch.empty(batch, channels, height // stride, width // stride, device='meta')

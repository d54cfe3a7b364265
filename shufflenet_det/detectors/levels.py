"""What the backbone of any config of MMDetection hands out, and whether a neck takes it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict

from shufflenet_det.archs import LEVEL_STRIDES

TRIAL = (2, 3, 512, 512)
"""Shape of the images that a backbone or detector is tried out with, on the meta device."""

Level = tuple[int, int]
"""Channels and stride of one output."""


def backbone_levels(backbone: Mapping) -> list[Level]:
    """What a backbone config gives: as the backbone publishes it, or as it comes out of a trial.

    Raises:
        ValueError: If it cannot be built, or its outputs are no feature maps.
    """
    try:
        built = _on_meta(dict(backbone, init_cfg=None))
        return published(built) or _measured(built)
    except Exception as error:
        raise ValueError(
            f'the backbone {backbone["type"]} of the config cannot be tried out '
            f'({type(error).__name__}: {error}), so that its outputs are unknown; install what '
            'it needs, or set backbone and in_channels by hand'
        ) from error


def published(backbone: torch.nn.Module) -> list[Level] | None:
    """The levels that a built backbone publishes, as ours do; None where it does not."""
    if not (hasattr(backbone, 'out_channels') and hasattr(backbone, 'out_strides')):
        return None
    return list(zip(backbone.out_channels, backbone.out_strides, strict=True))


def _measured(backbone: torch.nn.Module) -> list[Level]:
    with torch.no_grad():
        outputs = backbone(torch.empty(TRIAL, device='meta'))
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else outputs
    return [(out.shape[1], round(TRIAL[2] / out.shape[2])) for out in outputs]


def matching_levels(strides: Sequence[int], kind: str) -> tuple[int, ...]:
    """The out_indices of our backbones that have these strides.

    Raises:
        ValueError: If a stride is none of ours, or comes twice.
    """
    ours = LEVEL_STRIDES[:4]
    if list(strides) != sorted(set(strides) & set(ours)):
        raise ValueError(
            f'the backbone {kind} hands out strides {list(strides)}; ours have each of '
            f'{list(ours)} once: choose out_indices and set the backbone by hand'
        )
    return tuple(ours.index(stride) for stride in strides)


def try_neck(detector: ConfigDict, path: str) -> None:
    """Run backbone and neck on the meta device, so that what is written works.

    Raises:
        ValueError: If the neck does not take the outputs.
    """
    neck = detector.get('neck')
    if not neck:
        return
    neck = neck[0] if isinstance(neck, Sequence) else neck
    levels = backbone_levels(detector.backbone)
    try:
        with torch.no_grad():
            _on_meta(neck)(tuple(_feature(*level) for level in levels))
    except NotImplementedError:  # an op of mmcv that is not compiled here says nothing about it
        return
    except Exception as error:
        raise ValueError(
            f'{path}.neck ({neck.type}) does not take the outputs of the new backbone '
            f'({type(error).__name__}: {error}); set the backbone by hand'
        ) from error


def _on_meta(config: Mapping | Sequence) -> torch.nn.Module:
    """A module in eval mode without memory for its weights."""
    try:
        with torch.device('meta'):
            module = MODELS.build(copy.deepcopy(config))
    except RuntimeError:  # constructors that compute with numbers of tensors
        module = MODELS.build(copy.deepcopy(config))
    module.to('meta')  # what torch.Tensor made
    module.eval()  # MMDetection's backbones do not return themselves
    return module


def _feature(channels: int, stride: int) -> torch.Tensor:
    batch, _, height, width = TRIAL
    return torch.empty(batch, channels, height // stride, width // stride, device='meta')

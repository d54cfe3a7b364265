"""What the backbone of a config does when it is built, whatever is written about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from shufflenet_det.archs import LEVEL_STRIDES
from shufflenet_det.detectors.levels import TRIAL, Level, built_backbone

NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm)
"""What MMEngine takes for normalisation where it sets up an optimiser."""

PLAIN_BN = nn.BatchNorm2d(1)


@dataclass(frozen=True)
class Traits:
    """A built backbone, as far as a swap has to keep it.

    Args:
        built: The backbone on the meta device, in training mode.
        levels: Of its outputs.
        norm_cfg: Of its BN layers; None where it normalises in another way, or not at all.
        norm_eval: Whether all BN stays in eval mode while training.
        frozen_stages: In our backbones' numbers.
        dilation: The largest of its convs.
        output_stride: 16 where the last of four stages keeps the stride of the third, else 32.
        last_dilation: Of the last stage's convs at an output stride of 16.
    """

    built: nn.Module
    levels: list[Level]
    norm_cfg: dict | None
    norm_eval: bool
    frozen_stages: int
    dilation: int = 1
    output_stride: int = 32
    last_dilation: int | None = None

    @property
    def other_norm(self) -> str:
        """Names of the normalisations that it has in place of BN."""
        return ' and '.join(sorted({type(norm).__name__ for norm in norms_of(self.built)}))


def traits_of(config: Mapping) -> Traits:
    """Build a backbone config and look.

    Raises:
        ValueError: If it cannot be built, or its stages have strides that ours cannot have.
    """
    built, levels = built_backbone(config)
    built.train()
    norms = [norm for norm in norms_of(built) if isinstance(norm, _BatchNorm)]
    return Traits(
        built,
        levels,
        _norm_cfg(built, norms) if norms else None,
        bool(norms) and not any(norm.training for norm in norms),
        frozen_stages(built),
        largest_dilation(built),
        *_dilated_stage(built, config['type']),
    )


def norms_of(module: nn.Module) -> list[nn.Module]:
    """All normalisation layers."""
    return [part for part in module.modules() if isinstance(part, NORMS)]


def _norm_cfg(built: nn.Module, norms: list[nn.Module]) -> dict:
    """The norm_cfg that makes BN layers like the last one."""
    last = norms[-1]
    config = dict(type='SyncBN' if isinstance(last, nn.SyncBatchNorm) else 'BN')
    for key in ('momentum', 'eps'):
        if getattr(last, key) != getattr(PLAIN_BN, key):
            config[key] = getattr(last, key)
    affine = [parameter for norm in norms for parameter in norm.parameters()]
    among = set(map(id, affine))
    others = [p.requires_grad for p in built.parameters() if id(p) not in among]
    if any(others) and not any(parameter.requires_grad for parameter in affine):
        config['requires_grad'] = False
    return config


def frozen_stages(built: nn.Module) -> int:
    """-1, or the number of levels down to the deepest conv whose weight has no gradient."""
    convs = [part for part in built.modules() if isinstance(part, nn.Conv2d)]
    if all(conv.weight.requires_grad for conv in convs):
        return -1
    strides = []

    def note(conv: nn.Module, _: object, output: torch.Tensor) -> None:
        stride = TRIAL[2] / output.shape[2]
        if not conv.weight.requires_grad and stride <= LEVEL_STRIDES[3]:  # not behind a pooling
            strides.append(stride)

    handles = [conv.register_forward_hook(note) for conv in convs]
    with torch.no_grad():
        built(torch.empty(TRIAL, device='meta'))
    for handle in handles:
        handle.remove()
    if not strides:
        return -1
    return sum(stride <= max(strides) for stride in LEVEL_STRIDES[:4])


def largest_dilation(built: nn.Module) -> int:
    """Of the convs, whichever way it is larger; 1 without any."""
    convs = [part for part in built.modules() if isinstance(part, nn.Conv2d)]
    return max((max(conv.dilation) for conv in convs), default=1)


def _dilated_stage(built: nn.Module, kind: str) -> tuple[int, int | None]:
    """Output stride, and dilation where it is 16, of a ResNet of four stages."""
    strides = getattr(built, 'strides', None)
    if not isinstance(strides, (list, tuple)) or len(strides) != 4 or strides[0] != 1:
        return 32, None
    if strides[1:3] != type(strides)((2, 2)):
        raise ValueError(
            f'the stages of the backbone {kind} have strides {tuple(strides)}, so that it ends at '
            'stride 8 or in another order than ours, which can keep the stride of the last stage '
            'only: set its strides to (1, 2, 2, 1) or (1, 2, 2, 2), and dilations to match'
        )
    return (32, None) if strides[3] == 2 else (16, built.dilations[3])

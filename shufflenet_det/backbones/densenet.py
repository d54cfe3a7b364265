"""torchvision's DenseNet (arXiv 1608.06993) as an MMDetection backbone."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.registry import MODELS
from torch import nn
from torchvision.models import DenseNet as TorchvisionDenseNet

from .base import LevelBackbone, check_choice, unstride
from .peers import DENSENET_ARCHS


@MODELS.register_module()
class DenseNet(LevelBackbone):
    """DenseNet with feature-pyramid outputs, at ShuffleNet V2's levels of complexity.

    Source: arXiv 1608.06993; arXiv 1807.11164, table 8, prints no more than its macs. Its layers
    are torchvision's, whose norms and activations are fixed: BN and ReLU.

    Args:
        arch: ``'0.5x'``, ``'1.0x'``, ``'1.5x'`` or ``'2.0x'``.
        with_cp: Trade speed for memory with activation checkpointing.
        out_indices, output_stride, last_dilation, frozen_stages, norm_eval, init_cfg: As in
            :class:`shufflenet_det.backbones.base.LevelBackbone`; levels 0 to 3.

    Raises:
        ValueError: If arch or an argument of the levels is not allowed.
    """

    stem_names = ('conv1',)

    def __init__(
        self,
        arch: str = '1.0x',
        out_indices: Sequence[int] = (0, 1, 2, 3),
        output_stride: int = 32,
        last_dilation: int | None = None,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        check_choice('arch', arch, DENSENET_ARCHS)
        super().__init__(
            DENSENET_ARCHS[arch], out_indices, output_stride, last_dilation, frozen_stages,
            norm_eval=norm_eval, with_cp=with_cp, init_cfg=init_cfg,
        )  # fmt: skip
        del self._parts

    def make_stem(self) -> None:
        self._parts = dict(
            TorchvisionDenseNet(
                growth_rate=self.arch.growth_rate,
                block_config=self.arch.blocks,
                num_init_features=self.arch.init_features,
                num_classes=1,
                memory_efficient=self.with_cp,
            ).features.named_children()
        )
        stem = ('conv0', 'norm0', 'relu0', 'pool0')
        self.conv1 = nn.Sequential(*(self._parts[name] for name in stem))

    def make_level(self, level: int, stride: int, dilation: int) -> nn.Sequential:
        modules = [self._parts[f'denseblock{level + 1}']]
        if level:
            modules.insert(0, self._parts[f'transition{level}'])
        if level == 3:
            modules += [self._parts['norm5'], nn.ReLU(inplace=True)]
        if level and stride == 1:
            modules[0].pool = nn.Identity()
            unstride(modules[1], dilation)
        return nn.Sequential(*modules)

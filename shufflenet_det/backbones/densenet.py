"""DenseNet (arXiv 1608.06993) out of torchvision's layers as an MMDetection backbone."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.registry import MODELS
from torch import nn
from torchvision.models import DenseNet as TorchvisionDenseNet

from .base import LevelBackbone, check_choice, unstride
from .peer_archs import DENSENET_ARCHS


@MODELS.register_module()
class DenseNet(LevelBackbone):
    """DenseNet with feature-pyramid outputs, at ShuffleNet V2's levels of complexity.

    Source: arXiv 1807.11164, section 4: table 5's layout (stem, max pool, stages 2 to 4) with
    dense blocks of 4, 8 and 4 layers as stages; it prints no more than their macs. The layers are
    torchvision's, whose norms and activations are fixed: BN and ReLU; poolings keep the last row
    and column of odd sizes.

    Args:
        arch: ``'0.5x'``, ``'1.0x'``, ``'1.5x'`` or ``'2.0x'``, or with ``_121`` behind it, as
            ``'1.0x_121'``, half of DenseNet-121 with its 7x7 stem.
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
        arch = self.arch
        self._parts = dict(
            TorchvisionDenseNet(
                growth_rate=arch.growth_rate,
                block_config=arch.blocks,
                num_init_features=arch.init_features,
                num_classes=1,
                memory_efficient=self.with_cp,
            ).features.named_children()
        )
        self._parts['conv0'] = nn.Conv2d(
            3, arch.init_features, arch.stem_kernel, stride=2, padding=arch.stem_kernel // 2,
            bias=False,
        )  # fmt: skip
        for number in range(1, len(arch.blocks)):
            self._parts[f'transition{number}'].pool = _half()
        stem = ('conv0', 'norm0', 'relu0', 'pool0')
        self.conv1 = nn.Sequential(*(self._parts[name] for name in stem))

    def make_level(self, level: int, stride: int, dilation: int) -> nn.Sequential | None:
        number = level - self.arch.first_level
        if number < 0:
            return None
        modules = [self._parts[f'denseblock{number + 1}']]
        if number:
            modules.insert(0, self._parts[f'transition{number}'])
        elif level:
            modules.insert(0, _half())
        if level == 3:
            modules += [self._parts['norm5'], nn.ReLU(inplace=True)]
        if level and stride == 1:
            modules[0].pool = nn.Identity()
            unstride(modules[1], dilation)
        return nn.Sequential(*modules)


def _half() -> nn.AvgPool2d:
    return nn.AvgPool2d(2, ceil_mode=True)

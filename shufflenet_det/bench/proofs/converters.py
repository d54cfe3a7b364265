"""Every layout at every width: does a converted file give the outputs of its own network?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models

from shufflenet_det.archs import ARCHS
from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.bench.tables import Table
from shufflenet_det.checkpoints import (
    convert,
    load_backbone,
    megvii_output_permutation,
    read_checkpoint,
)

from .megvii_net import UNITS, MegviiNet, randomised

WIDTHS = {'0.5x': 'x0_5', '1.0x': 'x1_0', '1.5x': 'x1_5', '2.0x': 'x2_0'}
"""Arch -> torchvision's name of it."""

LEAKY = dict(type='LeakyReLU', negative_slope=0.1)
"""What NanoDet's weights were trained with."""

KEPT = 24
"""Channels that branch 1 of the first unit passes on in Megvii's own nets: those of the stem."""

Stages = Sequence[Tensor]


@dataclass(frozen=True)
class LayoutFile:
    """A file and the network it belongs to.

    Args:
        layout: The layout that must be recognised.
        width: Arch of our backbone.
        weights: 'random', or where the file comes from.
        checkpoint: Its content.
        reference: Outputs of its own network's stages 2 to 4, in our order of channels.
        backbone: Arguments of our backbone besides the arch.
    """

    layout: str
    width: str
    weights: str
    checkpoint: Mapping
    reference: Callable[[Tensor], Stages]
    backbone: Mapping


@dataclass(frozen=True)
class ConvertedFile:
    """What came of a case.

    Args:
        tensors: Tensors of the file.
        loaded: Of them, loaded into the backbone; BN's step counters are not counted.
        total: Tensors of the backbone, counted in the same way.
        difference: Largest absolute difference of the stages' outputs.
        largest: Largest absolute output, to judge the difference by.
    """

    layout: str
    width: str
    weights: str
    tensors: int
    loaded: int
    total: int
    difference: float
    largest: float


def random_cases() -> Iterator[LayoutFile]:
    """Every layout at every width, with random weights."""
    for width in WIDTHS:
        plain, leaky = _torchvision(width), _leaky(_torchvision(width))
        state = plain.state_dict()
        yield LayoutFile('torchvision', width, 'random', state, _stages_of(plain), {})
        file = convert(state, 'mmpretrain')
        yield LayoutFile('mmpretrain', width, 'random', file, _stages_of(plain), {})
        file = {f'backbone.{key}': value for key, value in leaky.state_dict().items()}
        file['head.gfl_cls.0.weight'] = torch.ones(1)
        yield LayoutFile('nanodet', width, 'random', file, _stages_of(leaky), dict(act_cfg=LEAKY))
        for layout, first in (('megvii', KEPT), ('fastestdet', None)):
            net = MegviiNet(_channels(width), flat=layout == 'megvii', first_branch=first)
            settings = dict(keep_branch1_width=True) if first else {}
            reference = _permuted(randomised(net), width, first)
            yield LayoutFile(layout, width, 'random', net.state_dict(), reference, settings)
        ours = randomised(_backbone(width, dict(se=True)))
        yield LayoutFile('own', width, 'random', ours.state_dict(), ours, dict(se=True))


def real_cases(folder: str | Path) -> Iterator[LayoutFile]:
    """The published files of a folder of test data, as far as they are there."""
    folder = Path(folder)
    path = folder / 'shufflenetv2_x0.5_fastestdet/shufflenetv2.pth'
    if path.exists():
        net = MegviiNet(_channels('0.5x'), flat=False).eval()
        file = read_checkpoint(path)
        net.load_state_dict(file)
        yield LayoutFile(
            'fastestdet', '0.5x', 'FastestDet, trained', file, _permuted(net, '0.5x'), {}
        )
    for path in sorted((folder / 'nanodet_m_x1.0_backbone').glob('*.pth')):
        file = read_checkpoint(path)
        net = _leaky(_torchvision('1.0x'))
        state = {k.removeprefix('backbone.'): v for k, v in file.items()}
        net.load_state_dict(state, strict=False)
        settings = dict(act_cfg=LEAKY)
        yield LayoutFile(
            'torchvision', '1.0x', 'NanoDet-m, trained', file, _stages_of(net), settings
        )


@torch.no_grad()
def examine(case: LayoutFile) -> ConvertedFile:
    """Load a case's file into our backbone and compare the outputs of stages 2 to 4.

    Raises:
        ValueError: If another layout is recognised; as ``load_backbone``.
    """
    backbone = _backbone(case.width, case.backbone)
    report = load_backbone(backbone, case.checkpoint, case.weights)
    if report.layout != case.layout:
        raise ValueError(f'{case.layout} at {case.width} was taken for {report.layout}')
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    pairs = list(zip(case.reference(x), backbone.eval()(x), strict=True))
    return ConvertedFile(
        case.layout, case.width, case.weights, len(case.checkpoint), report.loaded, report.total,
        max((theirs - out).abs().max().item() for theirs, out in pairs),
        max(theirs.abs().max().item() for theirs, _ in pairs),
    )  # fmt: skip


def tables(result: Mapping) -> list[Table]:
    """The view of a result."""
    header = ('layout', 'width', 'weights', 'tensors in the file', 'loaded', 'of the backbone',
              'max difference', 'largest output')  # fmt: skip
    keys = ('layout', 'width', 'weights', 'tensors', 'loaded', 'total', 'difference', 'largest')
    rows = tuple(tuple(row[key] for key in keys) for row in result['rows'])
    caption = (
        'Files of every layout in our backbone, against the network that they belong to: outputs '
        'of stages 2 to 4 on 64x64 px, up to the known order of channels.'
    )
    return [Table('converters', caption, header, rows)]


def _channels(width: str) -> tuple[int, ...]:
    return ARCHS[width].level_channels[1:4]


def _backbone(width: str, settings: Mapping) -> ShuffleNetV2:
    return ShuffleNetV2(arch=width, out_indices=(1, 2, 3), **settings).eval()


def _torchvision(width: str) -> nn.Module:
    return randomised(models.get_model(f'shufflenet_v2_{WIDTHS[width]}', weights=None))


def _leaky(net: nn.Module) -> nn.Module:
    for name, module in list(net.named_modules()):
        if isinstance(module, nn.ReLU):
            parent, _, leaf = name.rpartition('.')
            setattr(net.get_submodule(parent), leaf, nn.LeakyReLU(LEAKY['negative_slope']))
    return net


def _stages_of(net: nn.Module) -> Callable[[Tensor], Stages]:
    def stages(x: Tensor) -> Stages:
        x, outs = net.maxpool(net.conv1(x)), []
        for stage in (net.stage2, net.stage3, net.stage4):
            x = stage(x)
            outs.append(x)
        return outs

    return stages


def _permuted(net: MegviiNet, width: str, first: int | None = None) -> Callable[[Tensor], Stages]:
    sizes = zip(_channels(width), UNITS, (first, None, None), strict=True)
    orders = [megvii_output_permutation(*size) for size in sizes]
    return lambda x: [out[:, order] for out, order in zip(net(x), orders, strict=True)]

"""The table of networks that ShuffleNet V2 is measured against; needs no torch.

Source: arXiv 1807.11164, table 8 (four complexities) and table 6 (large models). ``macs``
are multiply-adds of one image with the 1000-way classifier, as printed there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shufflenet_det.archs import ARCHS

COMPLEXITIES = ('40M', '140M', '300M', '500M')
"""The paper's names of its four complexities, in macs."""

SCALES = ('0.5x', '1.0x', '1.5x', '2.0x')
"""Archs of the families that are scaled like ShuffleNet V2, at these complexities."""


@dataclass(frozen=True)
class StageArch:
    """A net of bottleneck units with pooled or added shortcuts: ShuffleNet V1 and Xception.

    Args:
        stem: Output channels of the 3x3/2 conv in front of the 3x3/2 max pool.
        stages: (out_channels, units) of each stage, the last one at stride 32. Three stages
            start at stride 8, four at stride 4.
        groups: Groups of the 1x1 convs.
        bottleneck: A unit's output channels are so many times those of its 3x3 conv.
    """

    stem: int
    stages: tuple[tuple[int, int], ...]
    groups: int = 1
    bottleneck: int = 4

    @property
    def first_level(self) -> int:
        """Level of the first stage: 0 (stride 4) or 1 (stride 8)."""
        return 4 - len(self.stages)

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of levels 0 to 3."""
        return (self.stem,) * self.first_level + tuple(channels for channels, _ in self.stages)


@dataclass(frozen=True)
class DenseArch:
    """Fields of torchvision's DenseNet; its transitions halve the channels.

    Args:
        growth_rate: Channels that each layer adds.
        init_features: Output channels of the 7x7/2 stem.
        blocks: Layers of each dense block.
    """

    growth_rate: int
    init_features: int
    blocks: tuple[int, ...] = (3, 6, 12, 8)

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of levels 0 to 3."""
        channels, widths = self.init_features, []
        for layers in self.blocks:
            channels += layers * self.growth_rate
            widths.append(channels)
            channels //= 2
        return tuple(widths)


SHUFFLENET_V1_WIDTHS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
"""Groups -> channels of stage 2 at 1.0x (arXiv 1707.01083, table 1)."""

SHUFFLENET_V1_SCALES = {'0.5x': (0.5, 12), '1.0x': (1, 24), '1.5x': (1.5, 24), '2.0x': (2, 48)}
"""Arch -> (factor of the stages' widths, channels of the stem); the stems reach Table 8's macs."""

SHUFFLENET_V1_50 = StageArch(64, ((360, 3), (720, 4), (1440, 6), (2880, 3)), 3, bottleneck=2)
"""arXiv 1807.11164, appendix table 2. Its 2.3G macs need bottlenecks of 1/2; 1/4 gives 1.15G."""


def shufflenet_v1_arch(arch: str, groups: int = 3) -> StageArch:
    """Row of ShuffleNet V1 (arXiv 1707.01083, table 1 and section 4.1).

    Widths are rounded to multiples of 4 * groups, and the stem up to a multiple of groups, so
    that every grouped conv can be built; that changes 0.5x and 1.5x of groups 2 and 4, and the
    stem of groups 8, only.

    Raises:
        ValueError: If arch or groups is not in the table.
    """
    if arch == '50' and groups == 3:
        return SHUFFLENET_V1_50
    if arch not in SHUFFLENET_V1_SCALES or groups not in SHUFFLENET_V1_WIDTHS:
        raise ValueError(
            f'arch={arch!r} with groups={groups!r} is not in the table; allowed: arch '
            f'{list(SHUFFLENET_V1_SCALES)} with groups {list(SHUFFLENET_V1_WIDTHS)}, and arch '
            "'50' with groups 3"
        )
    factor, stem = SHUFFLENET_V1_SCALES[arch]
    unit = 4 * groups
    width = round(SHUFFLENET_V1_WIDTHS[groups] * factor / unit) * unit
    stem = -(-stem // groups) * groups
    return StageArch(stem, ((width, 4), (2 * width, 8), (4 * width, 4)), groups)


XCEPTION_ARCHS = {
    '0.5x': StageArch(16, ((72, 4), (144, 8), (288, 4))),
    '1.0x': StageArch(24, ((144, 4), (288, 8), (576, 4))),  # arXiv 1711.07264, table 7
    '1.5x': StageArch(24, ((216, 4), (432, 8), (864, 4))),
    '2.0x': StageArch(24, ((288, 4), (576, 8), (1152, 4))),
}
"""The Xception-like net; only 1.0x is published, the others are scaled to Table 8's macs."""

DENSENET_ARCHS = {
    '0.5x': DenseArch(4, 13),
    '1.0x': DenseArch(8, 36),
    '1.5x': DenseArch(14, 44),
    '2.0x': DenseArch(20, 52),
}
"""Half of DenseNet-121's layers, scaled to Table 8's macs; the paper prints no more than these."""


@dataclass(frozen=True)
class Network:
    """A backbone of the comparison.

    Args:
        backbone: MMDetection config, without levels.
        macs: As printed in the paper; None where it prints none.
        table8: Name of its row in Table 8; None where it has none.
        complexity: One of COMPLEXITIES; None for the large models.
        size: Side of the square input that ``macs`` holds for, in px.
        classifier_level: Level that the classifier reads.
    """

    backbone: dict = field(hash=False)
    macs: float | None
    table8: str | None = None
    complexity: str | None = None
    size: int = 224
    classifier_level: int = 3

    def config(self, **levels) -> dict:
        """A fresh config of the backbone, with out_indices and other arguments merged in."""
        return dict(self.backbone, **levels)


def _shufflenet_v2() -> dict[str, Network]:
    table8 = {arch: arch.replace('.0x', 'x') for arch in SCALES}
    complexity = dict(zip(SCALES, COMPLEXITIES, strict=True))
    rows = {}
    for arch, row in ARCHS.items():
        name = f'ShuffleNet v2 {table8[arch]}' if arch in table8 else None
        rows[f'{"se_" if row.se else ""}snv2_{arch}'] = Network(
            dict(type='ShuffleNetV2', arch=arch), row.paper_macs, name, complexity.get(arch),
            classifier_level=4,
        )  # fmt: skip
    return rows


def _shufflenet_v2_variants() -> dict[str, Network]:
    """v2* of section 4, of which the paper prints no macs, and the SE net of Table 8."""
    rows = {
        f'snv2star_{arch}': Network(
            dict(type='ShuffleNetV2', arch=arch, large_receptive_field=True), None, None,
            complexity, classifier_level=4,
        )
        for arch, complexity in zip(SCALES, COMPLEXITIES, strict=True)
    }  # fmt: skip
    rows['snv2_2.0x_se'] = Network(
        dict(type='ShuffleNetV2', arch='2.0x', se=True), 597e6, 'ShuffleNet v2 2x with SE', '500M',
        classifier_level=4,
    )  # fmt: skip
    return rows


def _scaled(name: str, table8: str, backbone: dict, macs: dict[str, float]) -> dict[str, Network]:
    """One row per arch of a family with the paper's four scales."""
    return {
        f'{name}_{arch}': Network(
            dict(backbone, arch=arch), value, table8.format(arch.replace('.0x', 'x')), complexity
        )
        for (arch, value), complexity in zip(macs.items(), COMPLEXITIES, strict=True)
    }


def _mobilenet_v1(widen_factor: float, macs: float, complexity: str) -> Network:
    config = dict(type='MobileNetV1', widen_factor=widen_factor)
    return Network(config, macs, f'{widen_factor} MobileNet v1', complexity)


def _mobilenet_v2(widen_factor: float, macs: float, complexity: str, size: int = 224) -> Network:
    config = dict(type='LevelMobileNetV2', widen_factor=widen_factor)
    if widen_factor < 1:
        config.update(divisor=4, keep_last=True)  # what reaches Table 8's macs
    name = f'{widen_factor} MobileNet v2' + (f' ({size}x{size} input)' if size != 224 else '')
    return Network(config, macs, name, complexity, size, classifier_level=4)


NETWORKS: dict[str, Network] = {
    **_shufflenet_v2(),
    **_shufflenet_v2_variants(),
    **_scaled('snv1', 'ShuffleNet v1 {} (g=3)', dict(type='ShuffleNetV1', groups=3),
              {'0.5x': 38e6, '1.0x': 140e6, '1.5x': 292e6, '2.0x': 524e6}),
    'snv1_50': Network(dict(type='ShuffleNetV1', arch='50', groups=3), 2.3e9),
    **_scaled('xception', 'Xception {}', dict(type='Xception'),
              {'0.5x': 40e6, '1.0x': 145e6, '1.5x': 305e6, '2.0x': 525e6}),
    'mobilenetv1_0.25': _mobilenet_v1(0.25, 41e6, '40M'),
    'mobilenetv1_0.5': _mobilenet_v1(0.5, 149e6, '140M'),
    'mobilenetv1_0.75': _mobilenet_v1(0.75, 325e6, '300M'),
    'mobilenetv1_1.0': _mobilenet_v1(1.0, 569e6, '500M'),
    'mobilenetv2_0.15': _mobilenet_v2(0.15, 39e6, '40M'),
    'mobilenetv2_0.4': _mobilenet_v2(0.4, 43e6, '40M', 160),
    'mobilenetv2_0.6': _mobilenet_v2(0.6, 141e6, '140M'),
    'mobilenetv2_0.75': _mobilenet_v2(0.75, 145e6, '140M', 192),
    'mobilenetv2_1.0': _mobilenet_v2(1.0, 300e6, '300M'),
    'mobilenetv2_1.4': _mobilenet_v2(1.4, 585e6, '500M'),
    **_scaled('densenet', 'DenseNet {}', dict(type='DenseNet'),
              {'0.5x': 42e6, '1.0x': 142e6, '1.5x': 295e6, '2.0x': 519e6}),
    'resnet50': Network(dict(type='LevelResNet', depth=50, style='caffe'), 3.8e9),
}  # fmt: skip
"""Name -> network. configs/peers/ holds a Light-Head R-CNN of each peer, ``lighthead_NAME.py``."""

TABLE7 = {
    'Xception': tuple(f'xception_{arch}' for arch in SCALES),
    'ShuffleNet v1': tuple(f'snv1_{arch}' for arch in SCALES),
    'MobileNet v2': tuple(f'mobilenetv2_{width}' for width in (0.15, 0.6, 1.0, 1.4)),
    'ShuffleNet v2': tuple(f'snv2_{arch}' for arch in SCALES),
    'ShuffleNet v2*': tuple(f'snv2star_{arch}' for arch in SCALES),
}
"""Rows of Table 7 -> networks at the four COMPLEXITIES."""


def get_network(name: str) -> Network:
    """Look up a row of the table by name.

    Raises:
        ValueError: If the name is not in the table.
    """
    if name not in NETWORKS:
        raise ValueError(f'arch={name!r} is not in the table; allowed: {list(NETWORKS)}')
    return NETWORKS[name]

"""Architectures of the networks that ShuffleNet V2 is measured against; needs no torch.

Source: arXiv 1807.11164, table 8 and appendix table 2; each family's own paper where it is named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SCALES = ('0.5x', '1.0x', '1.5x', '2.0x')
"""Archs of the families that are scaled like ShuffleNet V2, at the four complexities."""


@dataclass(frozen=True)
class StageArch:
    """A net of bottleneck units with pooled or added shortcuts: ShuffleNet V1 and Xception.

    Args:
        stem: Output channels of the 3x3/2 conv in front of the 3x3/2 max pool.
        stages: (out_channels, units) of each stage, the last one at stride 32. Three stages
            start at stride 8, four at stride 4.
        groups: Groups of the 1x1 convs.
        bottleneck: A unit's output channels are so many times those of its 3x3 conv.
        depthwise_convs: 3x3 depthwise convs of a unit; the first one strides.
    """

    stem: int
    stages: tuple[tuple[int, int], ...]
    groups: int = 1
    bottleneck: int = 4
    depthwise_convs: int = 1

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
    """Fields of a DenseNet; its transitions halve the channels.

    Args:
        growth_rate: Channels that each layer adds.
        init_features: Output channels of the stem's conv, in front of the 3x3/2 max pool.
        blocks: Layers of each dense block, the last one at stride 32. Three blocks start at stride
            8, behind a 2x2 average pool, four at stride 4.
        stem_kernel: Kernel size of the stem's conv at stride 2.
    """

    growth_rate: int
    init_features: int = 24
    blocks: tuple[int, ...] = (4, 8, 4)
    stem_kernel: int = 3

    @property
    def first_level(self) -> int:
        """Level of the first dense block: 0 (stride 4) or 1 (stride 8)."""
        return 4 - len(self.blocks)

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of levels 0 to 3."""
        channels, widths = self.init_features, [self.init_features] * self.first_level
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
"""arXiv 1807.11164, appendix table 2: bottlenecks of 1/2 have the printed 2.3G macs."""

SHUFFLENET_V1_LARGE = {
    '50': SHUFFLENET_V1_50,
    '50_caption': replace(SHUFFLENET_V1_50, bottleneck=4),
}
"""V1-50 by its macs, and by the caption of its table, which says bottlenecks of 1/4."""


def shufflenet_v1_arch(arch: str, groups: int = 3) -> StageArch:
    """Row of ShuffleNet V1 (arXiv 1707.01083, table 1 and section 4.1).

    Widths are rounded to multiples of 4 * groups, and the stem up to a multiple of groups, so
    that every grouped conv can be built; that changes 0.5x and 1.5x of groups 2 and 4, and the
    stem of groups 8, only.

    Raises:
        ValueError: If arch or groups is not in the table.
    """
    if arch in SHUFFLENET_V1_LARGE and groups == 3:
        return SHUFFLENET_V1_LARGE[arch]
    if arch not in SHUFFLENET_V1_SCALES or groups not in SHUFFLENET_V1_WIDTHS:
        raise ValueError(
            f'arch={arch!r} with groups={groups!r} is not in the table; allowed: arch '
            f'{list(SHUFFLENET_V1_SCALES)} with groups {list(SHUFFLENET_V1_WIDTHS)}, and '
            f'{list(SHUFFLENET_V1_LARGE)} with groups 3'
        )
    factor, stem = SHUFFLENET_V1_SCALES[arch]
    unit = 4 * groups
    width = round(SHUFFLENET_V1_WIDTHS[groups] * factor / unit) * unit
    stem = -(-stem // groups) * groups
    return StageArch(stem, ((width, 4), (2 * width, 8), (4 * width, 4)), groups)


_XCEPTION = {
    '0.5x': StageArch(16, ((72, 4), (144, 8), (288, 4))),
    '1.0x': StageArch(24, ((144, 4), (288, 8), (576, 4))),  # arXiv 1711.07264, table 7
    '1.5x': StageArch(24, ((216, 4), (432, 8), (864, 4))),
    '2.0x': StageArch(24, ((288, 4), (576, 8), (1152, 4))),
}

XCEPTION_ARCHS = _XCEPTION | {
    f'{arch}_rf7': replace(row, depthwise_convs=3) for arch, row in _XCEPTION.items()
}
"""The Xception-like net; only 1.0x is published, the others are scaled to Table 8's macs. ``rf7``:
units with a receptive field of 7, as arXiv 1807.11164, section 4, says of them."""

DENSENET_ARCHS = {
    '0.5x': DenseArch(11),
    '1.0x': DenseArch(22),
    '1.5x': DenseArch(33),
    '2.0x': DenseArch(44),
    '0.5x_121': DenseArch(4, 13, (3, 6, 12, 8), 7),
    '1.0x_121': DenseArch(8, 36, (3, 6, 12, 8), 7),
    '1.5x_121': DenseArch(14, 44, (3, 6, 12, 8), 7),
    '2.0x_121': DenseArch(20, 52, (3, 6, 12, 8), 7),
}
"""DenseNet in the layout of arXiv 1807.11164, table 5, as its section 4 says; the growth rates are
chosen by Table 8's macs. ``121``: half of DenseNet-121's layers, scaled to the same macs."""

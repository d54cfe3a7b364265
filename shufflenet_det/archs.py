"""The table of ShuffleNet V2 architectures; needs no torch.

Source: arXiv 1807.11164, table 5 (0.5x to 2.0x), table 6 and appendix table 2 (50 and 164).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from math import prod

LEVELS = ('stage1', 'stage2', 'stage3', 'stage4', 'conv5')
"""Module that produces each level of ``out_indices``; a net without stage1 has its stem there."""

LEVEL_STRIDES = (4, 8, 16, 32, 32)


@dataclass(frozen=True)
class ShuffleNetV2Arch:
    """One row: everything that tells one ShuffleNet V2 from another.

    Args:
        stem: (out_channels, stride) of each 3x3 conv in front of the 3x3/2 max pool; the strides
            make 2 together.
        stages: (out_channels, units) of each stage, the last one at stride 32. Three stages
            start at stride 8 (table 5), four at stride 4 (appendix table 2).
        last_conv: Output channels of the 1x1 conv behind the stages (conv5, or conv6).
        se: Squeeze-and-excitation in each unit (appendix figure 2b).
        se_ratio: Hidden width of SE as part of the unit's output channels: 1/2 as printed for
            v2-164; the macs of Table 8's 2x with SE are those of 1.
        residual: Residual connection in each stride-1 unit (appendix figure 2a).
        large_receptive_field: v2*, one more 3x3 depthwise conv before the first pointwise conv
            of each building block (section 4).
        keep_branch1_width: Branch 1 of a stage's first unit gives as many channels as it reads,
            branch 2 the rest, as in Megvii's code (at 1.0x 24 + 92): the net of the printed macs,
            within 0.5 %. Off, each gives half, as in torchvision, whose weights then load, with
            0.7 to 1.3 % fewer macs. Only the first stage of the table's nets differs, and none at
            0.5x.
        paper_macs: Multiply-adds at 224x224 with the 1000-way classifier, as printed.
        paper_params: Parameters with the classifier, as printed; None where the paper has none.
        pretrained: Public weights of the net on ImageNet; None where there are none.
    """

    stem: tuple[tuple[int, int], ...]
    stages: tuple[tuple[int, int], ...]
    last_conv: int
    se: bool = False
    se_ratio: float = 0.5
    residual: bool = False
    large_receptive_field: bool = False
    keep_branch1_width: bool = False
    paper_macs: float | None = None
    paper_params: float | None = None
    pretrained: str | None = None

    def __post_init__(self) -> None:
        if len(self.stages) not in (3, 4):
            raise ValueError(
                f'arch.stages has {len(self.stages)} entries; 3 (first stage at stride 8) or 4 '
                '(first stage at stride 4) are allowed'
            )
        odd = [channels for channels, _ in self.stages if channels % 2]
        if odd:
            raise ValueError(
                f'arch.stages has the odd widths {odd}; a unit splits its channels in halves, '
                'so every width must be even'
            )
        if min(units for _, units in self.stages) < 1:
            raise ValueError(f'arch.stages={self.stages}: each needs (channels, at least 1 unit)')
        if self.stem and prod(stride for _, stride in self.stem) != 2:
            raise ValueError(
                f'arch.stem={self.stem} has strides that do not make 2 together; with the max pool '
                'it must end at stride 4'
            )
        if not 0 < self.se_ratio <= 1:
            raise ValueError(f'se_ratio={self.se_ratio} is not allowed; give more than 0, up to 1')
        if self.keep_branch1_width and any(a >= b for a, b in self.stage_widths):
            raise ValueError(
                f'keep_branch1_width needs stages wider than their input, got {self.stage_widths}'
            )

    @property
    def first_level(self) -> int:
        """Level of the first stage: 0 (stride 4) or 1 (stride 8)."""
        return 4 - len(self.stages)

    @property
    def stage_widths(self) -> list[tuple[int, int]]:
        """(in_channels, out_channels) of each stage."""
        widths = [self.stem[-1][0] if self.stem else self.stages[0][0]]
        widths += [channels for channels, _ in self.stages]
        return list(zip(widths, widths[1:], strict=False))

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of the five levels of ``out_indices``."""
        widths = tuple(channels for channels, _ in self.stages)
        stem = (self.stem[-1][0],) * self.first_level
        return stem + widths + (self.last_conv,)


_STEM = ((24, 2),)

ARCHS = {
    '0.5x': ShuffleNetV2Arch(_STEM, ((48, 4), (96, 8), (192, 4)), 1024,
                             paper_macs=41e6, paper_params=1.4e6,
                             pretrained='torchvision://shufflenet_v2_x0_5'),
    '1.0x': ShuffleNetV2Arch(_STEM, ((116, 4), (232, 8), (464, 4)), 1024,
                             paper_macs=146e6, paper_params=2.3e6,
                             pretrained='torchvision://shufflenet_v2_x1_0'),
    '1.5x': ShuffleNetV2Arch(_STEM, ((176, 4), (352, 8), (704, 4)), 1024,
                             paper_macs=299e6, paper_params=3.5e6,
                             pretrained='torchvision://shufflenet_v2_x1_5'),
    '2.0x': ShuffleNetV2Arch(_STEM, ((244, 4), (488, 8), (976, 4)), 2048,
                             paper_macs=591e6, paper_params=7.4e6,
                             pretrained='torchvision://shufflenet_v2_x2_0'),
    '50': ShuffleNetV2Arch(((64, 2),), ((244, 3), (488, 4), (976, 6), (1952, 3)), 2048,
                           paper_macs=2.3e9),
    '164': ShuffleNetV2Arch(((64, 2), (64, 1), (128, 1)),
                            ((340, 10), (680, 10), (1360, 23), (2720, 10)), 2048,
                            se=True, residual=True, paper_macs=12.7e9),
}  # fmt: skip


def get_arch(arch: str | Mapping | ShuffleNetV2Arch) -> ShuffleNetV2Arch:
    """Look up a row of the table by name, or make one from a dict of its fields.

    Raises:
        ValueError: If the name is not in the table, or a field is unknown or missing.
    """
    if isinstance(arch, ShuffleNetV2Arch):
        return arch
    if isinstance(arch, Mapping):
        allowed = [field.name for field in fields(ShuffleNetV2Arch)]
        unknown = sorted(set(arch) - set(allowed))
        missing = sorted({'stem', 'stages', 'last_conv'} - set(arch))
        if unknown or missing:
            raise ValueError(
                f'arch row has unknown fields {unknown} and lacks {missing}; allowed: {allowed}'
            )
        row = {key: _tuples(value) for key, value in arch.items()}
        return ShuffleNetV2Arch(**row)
    if not isinstance(arch, str) or arch not in ARCHS:
        raise ValueError(
            f'arch={arch!r} is not in the table; allowed: {list(ARCHS)}, or a dict with the '
            'fields stem, stages, last_conv (see shufflenet_det.archs.ShuffleNetV2Arch)'
        )
    return ARCHS[arch]


def out_channels(
    arch: str | Mapping | ShuffleNetV2Arch, out_indices: Iterable[int] = (0, 1, 2, 3)
) -> list[int]:
    """Channels of the levels that a backbone hands out: ``in_channels`` of what reads them.

    >>> out_channels('1.0x', (1, 2, 3))
    [116, 232, 464]
    """
    channels = get_arch(arch).level_channels
    return [channels[index] for index in out_indices]


def _tuples(value):
    if isinstance(value, (list, tuple)):
        return tuple(_tuples(item) for item in value)
    return value

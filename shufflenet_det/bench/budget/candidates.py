"""What a budget chooses from: rows that the table of architectures can say; needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from shufflenet_det.archs import ARCHS, ShuffleNetV2Arch

PRINTED_WIDTHS = {float(name[:-1]): ARCHS[name] for name in ('0.5x', '1.0x', '1.5x', '2.0x')}
"""Width -> its row of the paper's table 5."""

WIDTHS = tuple(quarter / 4 for quarter in range(2, 9))
"""Widths to choose from."""

DEPTHS = ((2, 4, 2), (3, 6, 3), (4, 8, 4), (4, 12, 4), (6, 12, 6))
"""Units of the three stages; (4, 8, 4) is the paper's."""

VARIANTS = {
    'plain': {},
    'v2*': dict(large_receptive_field=True),
    'SE': dict(se=True),
    'v2* SE': dict(large_receptive_field=True, se=True),
}
"""Name of a variant -> its fields of a row."""


@dataclass(frozen=True)
class Candidate:
    """A network to choose.

    Args:
        width: Of :data:`WIDTHS`.
        depth: Units of the stages.
        variant: A key of :data:`VARIANTS`.
        size: (H, W) of the input.
    """

    width: float
    depth: tuple[int, ...]
    variant: str
    size: tuple[int, int]

    @property
    def name(self) -> str:
        """As tables show it."""
        depth, size = '-'.join(map(str, self.depth)), 'x'.join(map(str, self.size))
        return f'{self.width:g}x {depth} {self.variant} {size}'

    @property
    def arch(self) -> ShuffleNetV2Arch:
        """Its row: of a printed width the paper's, in between linear between its neighbours."""
        channels, last_conv = _widths(self.width)
        return ShuffleNetV2Arch(
            ARCHS['1.0x'].stem, tuple(zip(channels, self.depth, strict=True)), last_conv,
            **VARIANTS[self.variant],
        )  # fmt: skip


def _widths(width: float) -> tuple[tuple[int, ...], int]:
    """Channels of the stages and of the last conv."""
    if not min(PRINTED_WIDTHS) <= width <= max(PRINTED_WIDTHS):
        raise ValueError(
            f'width {width} is not allowed; give {min(PRINTED_WIDTHS)} to {max(PRINTED_WIDTHS)}'
        )
    low, high = next(pair for pair in pairwise(PRINTED_WIDTHS) if width <= pair[1])
    narrow, wide, part = PRINTED_WIDTHS[low], PRINTED_WIDTHS[high], (width - low) / (high - low)
    pairs = [(a, b) for (a, _), (b, _) in zip(narrow.stages, wide.stages, strict=True)]
    pairs.append((narrow.last_conv, wide.last_conv))
    *channels, last_conv = (2 * round((a + part * (b - a)) / 2) for a, b in pairs)
    return tuple(channels), last_conv


def candidates(sizes: Sequence[tuple[int, int]]) -> Iterator[Candidate]:
    """Every width, depth and variant at each input size."""
    for size, width, depth, variant in product(sizes, WIDTHS, DEPTHS, VARIANTS):
        yield Candidate(width, depth, variant, size)


@dataclass(frozen=True)
class Part:
    """A piece of networks whose time is measured once.

    Args:
        kind: ``stem``, ``first unit``, ``unit`` or ``last conv``; in a form without shuffles,
            where units of a stage differ, ``stage``; ``head`` behind a detector's backbone.
        in_channels, out_channels: What it reads and gives; of a head, C4 and C5.
        size: (H, W) of what it reads.
        variant: A key of :data:`VARIANTS`, or the head; None where it makes no difference.
        units: Of a stage, else 1.
    """

    kind: str
    in_channels: int
    out_channels: int
    size: tuple[int, int]
    variant: str | None = None
    units: int = 1


def parts_of(
    candidate: Candidate, whole_stages: bool = False, last_conv: bool = True
) -> Iterator[Part]:
    """The parts of a network in order, each as often as it stands there.

    Args:
        candidate: The network.
        whole_stages: Cut into stages instead of units.
        last_conv: Up to what the classifier reads; a detector reads the stages.
    """
    arch, size = candidate.arch, candidate.size
    stem = arch.stem[-1][0]
    yield Part('stem', 3, stem, size)
    size = halved(halved(size))
    for (c_in, c_out), (_, units) in zip(arch.stage_widths, arch.stages, strict=True):
        if whole_stages:
            yield Part('stage', c_in, c_out, size, candidate.variant, units)
            size = halved(size)
            continue
        yield Part('first unit', c_in, c_out, size, candidate.variant)
        size = halved(size)
        for _ in range(units - 1):
            yield Part('unit', c_out, c_out, size, candidate.variant)
    if last_conv:
        yield Part('last conv', arch.stages[-1][0], arch.last_conv, size)


def halved(size: tuple[int, int]) -> tuple[int, int]:
    """(H, W) behind a layer of stride 2."""
    return -(-size[0] // 2), -(-size[1] // 2)


def small_arch(part: Part) -> ShuffleNetV2Arch:
    """The row of a small network that has this part."""
    first, rest = ((part.in_channels, 2),), ((2, 1), (2, 1))
    if part.kind == 'stem':
        row = ShuffleNetV2Arch(((part.out_channels, 2),), ((2, 1), *rest), 2)
    elif part.kind == 'last conv':
        row = ShuffleNetV2Arch(((2, 2),), (*rest, (part.in_channels, 1)), part.out_channels)
    else:
        units = 2 if part.kind == 'unit' else part.units
        row = ShuffleNetV2Arch(first, ((part.out_channels, units), *rest), 2)
    return replace(row, **VARIANTS[part.variant or 'plain'])

"""The paper's four guidelines as experiments (arXiv 1807.11164, tables 1 to 4, and units)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from shufflenet_det.bench.timing import REPEAT, Timing, difference, measure
from shufflenet_det.deploy.cuda_graph import CudaGraph

from . import blocks
from .blocks import Build
from .decomposition import decompose


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        name: As in the paper.
        build: Channels of the first row -> the stack of this row.
        gpu: Batches/s in the paper at the three widths.
        arm: Images/s in the paper at the three widths.
        arm_build: The same on the ARM chip, where the paper prints other channels for it.
    """

    name: str
    build: Build
    gpu: tuple[float, ...] | None = None
    arm: tuple[float, ...] | None = None
    arm_build: Build | None = None

    def stack(self, c: int, scale: str) -> blocks.Stack:
        """The blocks at a width of ``gpu`` or ``arm``."""
        return (scale == 'arm' and self.arm_build or self.build)(c)


@dataclass(frozen=True)
class Guideline:
    """A table of the paper.

    Args:
        title: What the guideline says.
        source: Where the table stands.
        advised: Name of the row that should be the fastest.
        widths: Channels of the first row, on ``gpu`` and ``arm``.
        rows: Rows with equal macs at equal widths.
    """

    title: str
    source: str
    advised: str
    widths: dict[str, tuple[int, ...]]
    rows: tuple[Row, ...]


GUIDELINES = {
    'G1': Guideline(
        'Equal channel width minimizes memory access cost', 'table 1', '1:1',
        dict(gpu=(128, 256, 512), arm=(32, 64, 128)),
        (
            Row('1:1', blocks.channel_ratio((128, 128), 128),
                (1480, 723, 232), (76.2, 21.7, 5.3), blocks.channel_ratio((32, 32), 32)),
            Row('1:2', blocks.channel_ratio((90, 180), 128),
                (1296, 586, 206), (72.9, 20.5, 5.1), blocks.channel_ratio((22, 44), 32)),
            Row('1:6', blocks.channel_ratio((52, 312), 128),
                (876, 489, 189), (69.1, 17.9, 4.6), blocks.channel_ratio((13, 78), 32)),
            Row('1:12', blocks.channel_ratio((36, 432), 128),
                (748, 392, 163), (57.6, 15.1, 4.4), blocks.channel_ratio((9, 108), 32)),
        ),
    ),
    'G2': Guideline(
        'Excessive group convolution increases memory access cost', 'table 2', '1 group',
        dict(gpu=(128, 256, 512), arm=(64, 128, 256)),
        (
            Row('1 group', blocks.group_conv(1), (2451, 1289, 437), (40.0, 10.2, 2.3)),
            Row('2 groups', blocks.group_conv(2), (1725, 873, 341), (35.0, 9.5, 2.2)),
            Row('4 groups', blocks.group_conv(4), (1026, 644, 338), (32.9, 8.7, 2.1)),
            Row('8 groups', blocks.group_conv(8), (634, 445, 230), (27.8, 7.5, 1.8)),
        ),
    ),
    'G3': Guideline(
        'Network fragmentation reduces degree of parallelism', 'table 3', '1-fragment',
        dict(gpu=(128, 256, 512), arm=(64, 128, 256)),
        (
            Row('1-fragment', blocks.fragmented(1, False), (2446, 1274, 434), (40.2, 10.1, 2.3)),
            Row('2-fragment-series', blocks.fragmented(2, False),
                (1790, 909, 336), (38.6, 10.1, 2.2)),
            Row('4-fragment-series', blocks.fragmented(4, False),
                (752, 745, 349), (38.4, 10.1, 2.3)),
            Row('2-fragment-parallel', blocks.fragmented(2, True),
                (1537, 803, 320), (33.4, 9.1, 2.2)),
            Row('4-fragment-parallel', blocks.fragmented(4, True),
                (691, 572, 292), (35.0, 8.4, 2.1)),
        ),
    ),
    'G4': Guideline(
        'Element-wise operations are non-negligible', 'table 4', 'neither',
        dict(gpu=(32, 64, 128), arm=(32, 64, 128)),
        (
            Row('ReLU and shortcut', blocks.bottleneck(True, True),
                (2427, 2066, 1436), (56.7, 16.9, 5.0)),
            Row('ReLU', blocks.bottleneck(True, False), (2647, 2256, 1735), (61.9, 18.8, 5.2)),
            Row('shortcut', blocks.bottleneck(False, True), (2672, 2121, 1458), (57.3, 18.2, 5.1)),
            Row('neither', blocks.bottleneck(False, False),
                (2842, 2376, 1782), (66.3, 20.2, 5.4)),
        ),
    ),
    'units': Guideline(
        'Units of ShuffleNet V2 beside others of equal macs', 'appendix table 1 b, 56x56',
        'ShuffleNet V2', dict(gpu=(64, 128, 256), arm=(64, 128, 256)),
        (
            Row('ShuffleNet V2', blocks.units(blocks.shuffle_v2_unit, 2),
                (216, 142, 81), (34.8, 12.3, 3.9)),
            Row('ShuffleNet V2*',
                blocks.units(partial(blocks.shuffle_v2_unit, large_receptive_field=True), 2)),
            Row('ShuffleNet V1 (g=3)', blocks.units(partial(blocks.grouped_unit, groups=3), 12),
                (127, 73, 45), (24.3, 9.4, 3.0)),
            Row('Xception', blocks.units(partial(blocks.grouped_unit, groups=1), 4),
                (185, 52, 68), (27.0, 9.7, 3.1)),
            Row('MobileNet V2', blocks.units(blocks.inverted_residual, 1),
                (89, 125, 69), (25.8, 10.0, 3.0)),
            Row('MobileNet V1', blocks.units(blocks.separable, 1)),
        ),
    ),
}  # fmt: skip
"""Key -> experiment."""


def check_guidelines(keys: Iterable[str], side: int) -> None:
    """Refuse what cannot be measured.

    Raises:
        ValueError: If a key is not in the table, or the side of the input is no number of px.
    """
    for key in keys:
        if key not in GUIDELINES:
            raise ValueError(f'guideline {key!r} is not known; allowed: {list(GUIDELINES)}')
    if side < 1:
        raise ValueError(f'--size {side} is not allowed; give at least 1 px')


def run_guideline(
    key: str,
    scale: str,
    widths: int | None = None,
    device: str = 'cpu',
    dtype: str = 'float32',
    batch: int = 1,
    side: int = blocks.SIDE,
    turns: int = 20,
    seconds: float | None = None,
) -> dict:
    """Measure one table: eager on a CPU, as CUDA graphs on a GPU; the profile is always eager.

    Args:
        key: A key of :data:`GUIDELINES`.
        scale: ``gpu`` or ``arm``: whose widths are taken.
        widths: How many of the three widths, from the smallest; None takes all.
        device, dtype, batch: What is run.
        side: Side of the input, in px.
        turns, seconds: As in :func:`~shufflenet_det.bench.timing.measure`, for each width.

    Returns:
        ``columns``, one for each width, and ``profile``, the operators behind the largest one.

    Raises:
        ValueError: As :func:`check_guidelines`.
    """
    check_guidelines([key], side)
    guideline = GUIDELINES[key]
    columns = []
    for c in guideline.widths[scale][:widths]:
        stacks = {row.name: row.stack(c, scale) for row in guideline.rows}
        eager = {name: _run(stack, device, dtype, batch, side) for name, stack in stacks.items()}
        runs = {name: _timed_form(run) for name, run in eager.items()}
        runs[REPEAT] = runs[guideline.rows[0].name]
        timings = measure(runs, device, turns, seconds, images=batch)
        macs = {name: stack.macs * side**2 // blocks.SIDE**2 for name, stack in stacks.items()}
        columns.append(dict(c=c, macs=macs, timings=timings, noise=_noise(timings)))
    return dict(key=key, scale=scale, columns=columns, profile=_profile(eager, device))


def _noise(timings: Sequence[Timing]) -> float:
    """By how much the first row and its repetition differ."""
    by_name = {timing.name: timing for timing in timings}
    return difference(timings[0], by_name[REPEAT])


def _run(stack: blocks.Stack, device: str, dtype: str, batch: int, side: int) -> partial:
    place = dict(device=device, dtype=getattr(torch, dtype))
    x = torch.randn(batch, stack.channels, side, side)
    return partial(stack.module.eval().to(**place), x.to(**place))


def _timed_form(run: partial) -> partial:
    """On a GPU, one graph: launched one by one, the kernels wait for the launches."""
    (x,) = run.args
    return partial(CudaGraph(run.func), x) if x.is_cuda else run


def _profile(runs: Mapping[str, Callable[[], object]], device: str) -> list:
    return [decompose(name, run, device) for name, run in runs.items()]

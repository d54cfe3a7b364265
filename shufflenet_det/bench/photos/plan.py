"""What is trained: rows of the search for a recipe, of learning rates, and of the comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from .steps import (
    BACKBONES,
    BN_OVER_LEVELS,
    CROPS,
    FIRST_STEPS,
    FRONTIER,
    HEAD_STEPS,
    NO_AVERAGE,
    RATE,
    SMOOTH_L1,
    STEPS,
    SWITCHES,
    UNITS,
    WHOLE_STEPS,
    Steps,
)
from .training import Run

OURS = 'lighthead_fpn_1.0x_320'
PEERS = (
    'gfl_1.0x_320', 'faster_rcnn_1.0x_320', 'retinanet_1.0x_320', 'yolox_1.0x_320',
    'rtmdet_1.0x_320', 'nanodet_plus_1.0x_320', 'ssdlite_1.0x_320',
)  # fmt: skip
"""By their AP on blood cells, NanoDet-Plus after 8 epochs; the first four have three seeds."""

SEEDS = (0, 1, 2)
RATES, SLOW_RATE = (0.004, 0.008), 0.002
SLOW = ('rtmdet_1.0x_320', 'nanodet_plus_1.0x_320')
"""Each lost by the slow rate; the other detectors are without it."""

SEARCH_EPOCHS = 8


def _steps(data: str, config: str, epochs: int | None, steps: Steps) -> Iterator[Run]:
    first = next(iter(steps))
    for step, changes in steps.items():
        yield Run(data, config, 0, epochs, changes, step, '' if step == first else first)


def recipe() -> Iterator[Run]:
    """The recipe with one thing changed at a time, on aquarium."""
    earlier = {step: SMOOTH_L1 | changes for step, changes in FIRST_STEPS.items()}
    for steps in (earlier, STEPS, HEAD_STEPS):
        yield from _steps('aquarium', OURS, SEARCH_EPOCHS, steps)


def augmentation() -> Iterator[Run]:
    """What makes more of few photographs, over whole schedules, on the two smallest sets."""
    for data in ('bccd', 'aquarium'):
        yield from _steps(data, OURS, 24, WHOLE_STEPS)
        yield Run(data, OURS, 0, 24, {UNITS: 256}, BN_OVER_LEVELS, 'the recipe')
    cells = partial(Run, 'bccd', OURS, 0)
    yield cells(16, {}, '16 epochs', 'the recipe')
    yield cells(24, NO_AVERAGE | CROPS, 'crops', 'no moving average')
    yield cells(35, NO_AVERAGE, '35 epochs', 'no moving average')


def switches() -> Iterator[Run]:
    """Each point in which the paper's and its code's settings may be chosen, alone."""
    yield from _steps('bccd', 'lighthead_single_1.0x_320', SEARCH_EPOCHS, SWITCHES)


def backbones() -> Iterator[Run]:
    """ShuffleNet V2 beside MobileNetV2 in the same detector, both from scratch."""
    yield from _steps('aquarium', OURS, 48, BACKBONES)


def frontier() -> Iterator[Run]:
    """Backbones that a budget would choose, from scratch."""
    yield from _steps('bccd', OURS, None, FRONTIER)


def rates() -> Iterator[Run]:
    """The same small search of the learning rate for every detector, on blood cells; and two again
    on aquarium, over whole schedules.
    """
    for config in (OURS, *PEERS):
        for rate in (SLOW_RATE, *RATES) if config in SLOW else RATES:
            yield Run('bccd', config, 0, SEARCH_EPOCHS, {RATE: rate}, f'lr {rate:g}')
    for config in (OURS, PEERS[0]):
        for rate in RATES:
            yield Run('aquarium', config, 0, 24, {RATE: rate}, f'lr {rate:g}')


def comparison() -> Iterator[Run]:
    """One recipe, unchanged, in the order of what it tells."""
    small = ('aquarium', 'bccd')
    yield from (Run(data, config) for data in small for config in (OURS, *PEERS))
    yield from (Run(data, OURS.replace('320', '416')) for data in small)
    yield from (Run('fruits15', config) for config in (OURS, *PEERS))
    for data in (*small, 'fruits15'):
        yield from (Run(data, c, seed) for seed in SEEDS[1:] for c in (OURS, *PEERS[:4]))
    yield from (Run('dhaka_vehicles', config) for config in (OURS, *PEERS[:2]))


def forms() -> Iterator[Run]:
    """Light-Head R-CNN in its forms, on aquarium."""
    for head in ('fpn', 'single'):
        for arch in ('1.0x', '0.5x'):
            for size in (320, 416):
                yield Run('aquarium', f'lighthead_{head}_{arch}_{size}')


def precision() -> Iterator[Run]:
    """Training steps in float32, and with dense convs in bfloat16, with three seeds."""
    for seed in SEEDS:
        for name, bf16 in dict(float32=False, bfloat16=True).items():
            yield Run('bccd', OURS, seed, SEARCH_EPOCHS, {'default_hooks.speed.bf16': bf16}, name)


def own() -> Iterator[Run]:
    """The config for one's own folder, which here has 100 pictures to learn from."""
    for data in ('bccd', 'aquarium', 'fruits15'):
        for start in ('coco', 'scratch'):
            for seed in SEEDS:
                changes = {'own_photos.start': start, 'own_photos.seed': seed}
                yield Run(data, 'my_photos', seed, None, changes, start, images=100)


@dataclass(frozen=True)
class Plan:
    """Rows of a result.

    Args:
        rows: Makes them, in the order in which they are trained.
        kind: Of the result, which says how it is shown.
        splits: What each row is evaluated on: choices are made on ``val`` alone.
    """

    rows: Callable[[], Iterable[Run]]
    kind: str
    splits: tuple[str, ...]


PLANS = dict(
    recipe=Plan(recipe, 'photo steps', ('val',)),
    augmentation=Plan(augmentation, 'photo steps', ('val',)),
    rates=Plan(rates, 'photo steps', ('val',)),
    switches=Plan(switches, 'photos', ('val', 'test')),
    backbones=Plan(backbones, 'photos', ('val', 'test')),
    frontier=Plan(frontier, 'photo frontier', ('val', 'test')),
    comparison=Plan(comparison, 'photos', ('val', 'test')),
    forms=Plan(forms, 'photos', ('val', 'test')),
    precision=Plan(precision, 'photos', ('val', 'test')),
    own=Plan(own, 'photos', ('val', 'test')),
)

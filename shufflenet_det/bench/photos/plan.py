"""What is trained: rows of the search for a recipe, of learning rates, and of the comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .steps import AUGMENTATION, FIRST_STEPS, RATE, SMOOTH_L1, STEPS
from .training import Run

OURS = 'lighthead_fpn_1.0x_320'
PEERS = (
    'gfl_1.0x_320', 'retinanet_1.0x_320', 'rtmdet_1.0x_320', 'nanodet_plus_1.0x_320',
    'yolox_1.0x_320', 'ssdlite_1.0x_320', 'faster_rcnn_1.0x_320',
)  # fmt: skip
"""Of which the first four are compared first."""

RATES = (0.001, 0.002, 0.004)
SEARCH_EPOCHS = 8


def recipe() -> Iterator[Run]:
    """The recipe with one thing changed at a time, on aquarium."""
    earlier = {step: SMOOTH_L1 | changes for step, changes in FIRST_STEPS.items()}
    for steps in (earlier, STEPS):
        first = next(iter(steps))
        for step, changes in steps.items():
            than = '' if step == first else first
            yield Run('aquarium', OURS, 0, SEARCH_EPOCHS, changes, step, than)


def augmentation() -> Iterator[Run]:
    """What makes more of few photographs, over whole schedules, on the two smallest sets."""
    for data, epochs in (('bccd', 24), ('aquarium', 24)):
        first = next(iter(AUGMENTATION))
        for step, changes in AUGMENTATION.items():
            yield Run(data, OURS, 0, epochs, changes, step, '' if step == first else first)
    yield Run('bccd', OURS, 0, 16, {}, '16 epochs', first)


def rates(configs: tuple[str, ...] = (OURS, *PEERS)) -> Iterator[Run]:
    """The same small search of the learning rate for every detector, on aquarium."""
    for config in configs:
        for rate in RATES:
            yield Run('aquarium', config, 0, SEARCH_EPOCHS, {RATE: rate}, f'lr {rate:g}')


def comparison() -> Iterator[Run]:
    """One recipe, unchanged, in the order of what it tells."""
    for configs, sets in (
        ((OURS, PEERS[0]), ('bccd', 'aquarium')),
        (PEERS[1:4], ('bccd', 'aquarium')),
        (PEERS[4:], ('bccd', 'aquarium')),
        ((OURS, *PEERS), ('fruits15',)),
    ):
        yield from (Run(data, config) for data in sets for config in configs)


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
    comparison=Plan(comparison, 'photos', ('val', 'test')),
)

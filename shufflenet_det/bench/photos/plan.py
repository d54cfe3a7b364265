"""What is trained: rows of the search for a recipe, of learning rates, and of the comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .training import Run

OURS = 'lighthead_fpn_1.0x_320'
PEERS = (
    'gfl_1.0x_320', 'retinanet_1.0x_320', 'rtmdet_1.0x_320', 'yolox_1.0x_320',
    'ssdlite_1.0x_320', 'faster_rcnn_1.0x_320',
)  # fmt: skip
"""Of which the first three are compared first."""

RATE = 'optim_wrapper.optimizer.lr'
RATES = (0.002, 0.004, 0.008)
SEARCH_EPOCHS = 8


def rates(configs: tuple[str, ...] = (OURS, *PEERS)) -> Iterator[Run]:
    """The same small search of the learning rate for every detector, on aquarium."""
    for config in configs:
        for rate in RATES:
            yield Run('aquarium', config, 0, SEARCH_EPOCHS, {RATE: rate}, f'lr {rate:g}')


def comparison() -> Iterator[Run]:
    """One recipe, unchanged, in the order of what it tells."""
    for configs, sets in (
        ((OURS, *PEERS[:3]), ('bccd', 'aquarium')),
        (PEERS[3:], ('bccd', 'aquarium')),
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
    rates=Plan(rates, 'photo steps', ('val',)),
    comparison=Plan(comparison, 'photos', ('val', 'test')),
)

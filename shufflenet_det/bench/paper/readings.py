"""Multiply-adds of every network that the paper prints some of, in every reading of its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shufflenet_det.backbones.peers import NETWORKS
from shufflenet_det.bench.complexity import network_complexity
from shufflenet_det.bench.tables import MILLION, Table


@dataclass(frozen=True)
class Reading:
    """A network in one reading.

    Args:
        network: A key of :data:`~shufflenet_det.backbones.peers.NETWORKS`.
        reading: How the paper is read; None where it can be read in one way only.
        macs: Multiply-adds of one image with the 1000-way classifier, batch norm not counted.
        printed: The same, as printed.
    """

    network: str
    reading: str | None
    macs: int
    printed: int


def readings() -> list[Reading]:
    """Every row of the table of networks with printed macs, each beside its other readings."""
    found = []
    for first, row in NETWORKS.items():
        if row.other_of is None and row.macs:
            others = [name for name, other in NETWORKS.items() if other.other_of == first]
            found += [_reading(name) for name in (first, *others)]
    return found


def _reading(name: str) -> Reading:
    row = NETWORKS[name]
    counted, classifier = network_complexity(name, (row.size, row.size))
    return Reading(name, row.reading, counted.total.macs + classifier.macs, round(row.macs))


def reading_table(result: Mapping) -> Table:
    """Macs of every reading beside the printed ones."""
    return Table(
        'readings', 'Multiply-adds at the printed input size, convs and classifier, in every '
        'reading of the paper beside what it prints.',
        ('network', 'reading', 'M macs', 'printed, M', 'difference, %'),
        tuple(
            (row['network'], row['reading'] or '', f'{row["macs"] / MILLION:,.2f}',
             f'{row["printed"] / MILLION:,.0f}',
             round(100 * (row['macs'] / row['printed'] - 1), 1) + 0.0)
            for row in result['rows']
        ),
    )  # fmt: skip

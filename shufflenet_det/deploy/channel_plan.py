"""Where every channel of a ShuffleNet V2 stage goes, so that nothing has to be shuffled.

A channel is born in one conv (its writer) and is read once, by a later unit or at the stage's
end. Channels of one writer with the same reader are interchangeable: they form a piece. Each
writer puts out its pieces side by side and each reader joins its pieces, so that a channel is
copied once however many units it passes, and the order is absorbed by the weights. A stage of n
units has n + 1 writers, n readers and at most (n - 1)(n + 2) / 2 + n + 1 pieces.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from shufflenet_det.checkpoints.channel_order import even_first

PAD = -1
"""Marks a place that holds no channel in an order: a list of the channel at each place."""

Order = list[int]


def padded(order: Order, align: int) -> Order:
    """The order with places added up to a multiple of ``align``."""
    return order + [PAD] * (-len(order) % align)


def places(order: Order) -> Order:
    """The inverse of an order: the place of each channel."""
    place = {channel: i for i, channel in enumerate(order) if channel != PAD}
    return [place[channel] for channel in range(len(place))]


@dataclass
class Piece:
    """Channels of one writer that one reader reads, in the order in which they are stored.

    Args:
        writer: 0 for branch 1 of the first unit, u + 1 for branch 2 of unit u.
        reader: Index of the unit that reads, or the number of units for the stage's end.
        written: Index of each channel in the writer's output, ``PAD`` where there is none.
        read: Index of each channel in the reader's input, likewise.
    """

    writer: int
    reader: int
    written: Order = field(default_factory=list)
    read: Order = field(default_factory=list)


class StagePlan:
    """The pieces of one stage.

    Args:
        half: Channels of one branch.
        units: Units of the stage.
        align: Every piece is padded to a multiple of so many channels.
        first: Channels of the first unit's branch 1; ``half`` where it is None.
    """

    def __init__(self, half: int, units: int, align: int = 1, first: int | None = None) -> None:
        self.half, self.units, self.align = half, units, align
        pieces: dict[tuple[int, int], Piece] = {}
        for reader, channels in _read_channels(half, units, first or half).items():
            for index, (writer, channel) in enumerate(channels):
                piece = pieces.setdefault((writer, reader), Piece(writer, reader))
                piece.written.append(channel)
                piece.read.append(index)
        for piece in pieces.values():
            piece.written = padded(piece.written, align)
            piece.read = padded(piece.read, align)
        self.pieces = [pieces[key] for key in sorted(pieces)]

    def written_by(self, writer: int) -> list[Piece]:
        """The pieces that one branch writes."""
        return [piece for piece in self.pieces if piece.writer == writer]

    def written_order(self, writer: int) -> Order:
        """Channel of the writer's own output at each place of what it writes."""
        return [channel for piece in self.written_by(writer) for channel in piece.written]

    def read_order(self, reader: int) -> Order:
        """Channel of the reader's own input at each place of what it reads."""
        return [
            channel for piece in self.pieces if piece.reader == reader for channel in piece.read
        ]


def _read_channels(half: int, units: int, first: int) -> dict[int, list[tuple[int, int]]]:
    """(writer, index) of each channel that a reader reads, in the order of the paper's net."""
    read: dict[int, list[tuple[int, int]]] = defaultdict(list)
    live = [(writer, i) for i in range(half) for writer in (0, 1)]
    if first != half:
        joined = [(0, i) for i in range(first)] + [(1, i) for i in range(2 * half - first)]
        live = [joined[i] for i in even_first(2 * half, units)]
    for unit in range(1, units):
        passed, read[unit] = live[:half], live[half:]
        live = [channel for i in range(half) for channel in (passed[i], (unit + 1, i))]
    read[units] = live
    return read

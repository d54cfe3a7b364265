"""What a file shall be, and whether it can be, before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shufflenet_det.data.pixels import read_image

from .formats import FORMATS, Format

MOST_IMAGES = 50


def picked(calibration: Sequence[Path]) -> Sequence[Path]:
    """The calibration images that are used: up to MOST_IMAGES at even distances."""
    return calibration[:: -(-len(calibration) // MOST_IMAGES) or 1]


@dataclass(frozen=True)
class Request:
    """An export as it is asked for.

    Args:
        to: A key of ``formats.FORMATS``.
        precision: One of its precisions.
        output: A key of ``contract.OUTPUTS``.
        calibration: Images for int8, some hundred as the detector will see them.
        opset: Of ONNX graphs.
        align: As in ShuffleFreeBackbone, for ONNX Runtime; None asks this machine's CPU.

    Raises:
        ValueError, ImportError: If the format cannot hold it, or its package is missing.
        FileNotFoundError, ValueError: If a calibration image cannot be read.
    """

    to: str = 'onnx'
    precision: str = 'fp32'
    output: str = 'detections'
    calibration: Sequence[Path] = ()
    opset: int = 18
    align: int | None = None

    def __post_init__(self) -> None:
        if self.to not in FORMATS:
            raise ValueError(f'{self.to!r} is no format: one of {", ".join(FORMATS)}')
        self.format.check(self.precision)
        if self.output != 'detections' and self.to != 'onnx':
            raise ValueError(f'{self.to}: holds whole detectors; {self.output} go to onnx only')
        if (self.precision == 'int8') != bool(self.calibration):
            raise ValueError('int8, and nothing else, needs calibration images: give some hundred')
        for path in picked(self.calibration):
            read_image(path)  # refused here, not when the graph is there

    @property
    def format(self) -> Format:
        """The row of the format that is asked for."""
        return FORMATS[self.to]

"""Which detectors go into every runtime, on which photographs, and where their weights are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shufflenet_det.data.photos import PHOTO_SETS, PhotoSet
from shufflenet_det.deploy.formats import FORMATS

SPLIT = 'test'
REFERENCE = 'pytorch'
"""What the runtimes are compared with, a row of its own."""
RANDOM = 'random'
"""Weights of a detector that was not trained."""

PACKAGES = {
    REFERENCE: 'torch',
    'onnx': 'onnxruntime',
    'openvino': 'openvino',
    'opencv': 'opencv-python',
    'ncnn': 'ncnn',
    'mnn': 'MNN',
    'executorch': 'executorch',
    'litert': 'ai-edge-litert',
}
"""Format -> the package that runs it, whose version stands in its rows."""


@dataclass(frozen=True)
class Case:
    """A detector.

    Args:
        config: Its name.
        data: The set that it is trained and compared on.
        folder: Of its config below configs/.
    """

    config: str
    data: str = 'bccd'
    folder: str = 'photos'

    @property
    def photos(self) -> PhotoSet:
        """The set."""
        return PHOTO_SETS[self.data]

    def trained(self, work: Path) -> tuple[Path, Path] | None:
        """Config and checkpoint as tools/photos.py leaves them; None where there is none."""
        folder = work / f'{self.data}-{self.config}-seed0'
        note = folder / 'last_checkpoint'
        if not note.is_file():
            return None
        checkpoint = folder / Path(note.read_text(encoding='utf-8').strip()).name
        return (folder / f'{self.config}.py', checkpoint) if checkpoint.is_file() else None

    def weights(self, work: Path) -> str:
        """Where its weights are from, as the rows say it."""
        trained = self.trained(work)
        return trained[1].stem if trained else RANDOM


CASES = (
    Case('lighthead_fpn_1.0x_320'),
    Case('lighthead_single_1.0x_320'),
    Case('lighthead_fpn_0.5x_320'),
    Case('lighthead_single_0.5x_320'),
    Case('lighthead_edge_1.0x_320', folder='edge'),
    Case('lighthead_edge_0.5x_320', folder='edge'),
    Case('gfl_1.0x_320'),
    Case('retinanet_1.0x_320'),
    Case('rtmdet_1.0x_320'),
)


@dataclass(frozen=True)
class Target:
    """A runtime and a precision; of PyTorch fp32 alone."""

    runtime: str
    precision: str

    def row_name(self, case: Case) -> str:
        """Of the row in the result."""
        return f'{case.data} {case.config} {self.runtime} {self.precision}'


def targets() -> Iterator[Target]:
    """PyTorch, then every format that can be written, in each precision."""
    yield Target(REFERENCE, 'fp32')
    for name, row in FORMATS.items():
        if row.engine:
            yield from (Target(name, precision) for precision in row.precisions)

"""What a graph of ours takes and gives, and refusal of what is none, for every runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy import ndarray

from .formats import ForeignFile
from .model_info import METADATA_KEY, ModelInfo
from .onnx_wire import strange_parts

INPUT = 'in0'
"""Of a graph of a detector that is cut."""


class Value(Protocol):
    """An input or an output as a runtime describes it, e.g. ONNX Runtime's NodeArg."""

    name: str
    type: str
    shape: Sequence[int | str | None]


@dataclass(frozen=True)
class Expected:
    """An input or an output of our graphs.

    Args:
        name: Its name.
        type: As ONNX Runtime writes it.
        shape: Numbers are fixed sizes, letters free ones; None where it depends on the model.
    """

    name: str
    type: str
    shape: tuple[int | str, ...] | None = None

    def fits(self, value: Value) -> bool:
        """Whether a value is this one; a size that it leaves free may be any."""
        if (value.name, value.type) != (self.name, self.type):
            return False
        return self.shape is None or len(value.shape) == len(self.shape) and all(
            isinstance(ours, str) or not isinstance(size, int) or size == ours
            for ours, size in zip(self.shape, value.shape, strict=True)
        )  # fmt: skip

    def __str__(self) -> str:
        return _described(self.name, self.type, self.shape)


IMAGES = Expected('images', 'tensor(uint8)', ('N', 3, 'H', 'W'))
OUTPUTS: Mapping[str, tuple[Expected, ...] | None] = {
    'detections': (
        Expected('boxes', 'tensor(float)', ('N', 'K', 4)),
        Expected('scores', 'tensor(float)', ('N', 'K')),
        Expected('labels', 'tensor(int64)', ('N', 'K')),
    ),
    'rois': (Expected('boxes', 'tensor(float)'), Expected('scores', 'tensor(float)')),
    'levels': None,
}
"""What a graph gives -> its outputs in order; levels are numbered, level0 is the finest."""


def check_content(content: bytes) -> None:
    """Refuse a file whose graph could run without end or reads other files.

    Raises:
        ValueError: Saying what is in it that no export of ours has, or that it is cut.
    """
    try:
        strange = next(strange_parts(content), None)
    except ValueError as error:
        raise ForeignFile(f'the file is corrupt or no ONNX model ({error})') from error
    if strange:
        raise ForeignFile(f'an ONNX model of another exporter: it has {strange}')


def read_info(properties: Mapping[str, str]) -> ModelInfo:
    """What the metadata of an .onnx file says.

    Raises:
        ValueError: If there is nothing of ours, or a field is missing, unknown or wrong.
    """
    if METADATA_KEY not in properties:
        raise ForeignFile(
            f'an ONNX model without our metadata ({METADATA_KEY}), so classes and resizing are '
            'not known'
        )
    try:
        return ModelInfo.from_json(properties[METADATA_KEY])
    except ValueError as error:
        raise ForeignFile(f'metadata {METADATA_KEY}: {error}') from error


def check_graph(inputs: Sequence[Value], outputs: Sequence[Value], output: str) -> None:
    """Refuse a graph that takes or gives anything else than ours.

    Args:
        inputs, outputs: All of them in order.
        output: A key of OUTPUTS.

    Raises:
        ValueError: Saying what it has and what was expected.
    """
    for what, found, expected in (
        ('inputs', inputs, (IMAGES,)),
        ('outputs', outputs, OUTPUTS[output]),
    ):
        if expected is None:
            continue
        if len(found) != len(expected) or not all(
            ours.fits(value) for ours, value in zip(expected, found, strict=True)
        ):
            raise ForeignFile(
                f'its {what} are {_listed(found)}, expected {"; ".join(map(str, expected))}'
            )


def check_part(
    part: str, inputs: Sequence[str], outputs: Sequence[str], expected: Sequence[str]
) -> None:
    """Refuse a graph of a cut detector that takes or gives anything else than ours.

    Args:
        part: ``trunk`` or ``head``.
        inputs, outputs: Names of all of them in order.
        expected: Names of its outputs in order.

    Raises:
        ValueError: Saying what it has and what was expected.
    """
    if list(inputs) != [INPUT] or list(outputs) != list(expected):
        given, found, own = (', '.join(names) or 'nothing' for names in (inputs, outputs, expected))
        raise ForeignFile(f'its {part} takes {given} and gives {found}, expected {INPUT} and {own}')


def numbered(kind: str, values: Sized) -> list[str]:
    """Names for values of a runtime that has none of its own, e.g. ``out0`` and ``out1``."""
    return [f'{kind}{i}' for i in range(len(values))]


def check_detections(
    boxes: ndarray, scores: ndarray, labels: ndarray, classes: Sequence[str], images: int
) -> None:
    """Refuse what no detector gives: boxes (N, K, 4), scores (N, K), labels (N, K), -1 for none.

    Args:
        boxes, scores, labels: As the graph gave them.
        classes: Names by label.
        images: N.

    Raises:
        ValueError: If sizes differ, a number is not finite, or a label has no name.
    """
    shapes = boxes.shape, scores.shape, labels.shape
    alike = boxes.ndim == 3 and shapes == ((*scores.shape, 4), scores.shape, scores.shape)
    if not alike or len(boxes) != images:
        raise ValueError(
            f'the graph gave boxes, scores and labels of shapes {shapes}, expected (N, K, 4), '
            f'(N, K) and (N, K) of {images} images'
        )
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise ValueError('the graph gave boxes or scores that are not finite; check its weights')
    if labels.size and not -1 <= labels.min() <= labels.max() < len(classes):
        raise ValueError(
            f'the graph gave labels from {labels.min()} to {labels.max()}, metadata {METADATA_KEY} '
            f'has {len(classes)} classes: 0 to {len(classes) - 1} are allowed, -1 is none'
        )


def _described(name: str, type_: str, shape: Sequence | None) -> str:
    sizes = '' if shape is None else f' ({", ".join(map(str, shape))})'
    return f'{name} {type_}{sizes}'


def _listed(values: Sequence[Value]) -> str:
    return '; '.join(_described(v.name, v.type, v.shape) for v in values) or 'none'

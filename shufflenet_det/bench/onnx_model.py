"""Any ONNX file as a callable: its inputs are made from names, shapes and types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from .forms import first_line
from .onnx_session import cpu_session

DTYPES = {
    'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(double)': np.float64,
    'tensor(uint8)': np.uint8, 'tensor(int8)': np.int8, 'tensor(int32)': np.int32,
    'tensor(int64)': np.int64, 'tensor(bool)': np.bool_,
}  # fmt: skip

CHANNELS = (1, 3)


class InputSpec(Protocol):
    """What ONNX Runtime says of an input; dimensions that are free are text or None."""

    name: str
    shape: Sequence[int | str | None]
    type: str


def onnx_model(
    path: str | Path,
    size: tuple[int, int],
    batch: int = 1,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Callable[[], object]:
    """A file in ONNX Runtime on the CPU, with inputs of random pixels, other inputs of ones.

    Args:
        path: The file.
        size, batch: (H, W) and N where the file leaves them free.
        shapes: Name of an input -> its shape, where it cannot be told.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no ONNX model, or has inputs that cannot be told.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; give the path of an .onnx file')
    try:
        session = cpu_session(path.read_bytes())
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise ValueError(f'{path}: ONNX Runtime cannot load it ({first_line(error)})') from error
    feed = feed_of(path, session.get_inputs(), size, batch, shapes or {})

    def run() -> object:
        try:
            return session.run(None, feed)
        except Exception as error:
            given = {name: list(value.shape) for name, value in feed.items()}
            raise ValueError(
                f'{path} does not take inputs {given} ({first_line(error)}); give shapes with '
                '--input NAME=1x3x320x320'
            ) from error

    return run


def feed_of(
    path: str | Path,
    inputs: Sequence[InputSpec],
    size: tuple[int, int],
    batch: int,
    shapes: Mapping[str, Sequence[int]],
) -> dict[str, np.ndarray]:
    """Arrays for all inputs.

    Raises:
        ValueError: Naming every input whose shape or type cannot be told, or a shape given for an
            input that is not there.
    """
    names = [spec.name for spec in inputs]
    strange = sorted(set(shapes) - set(names))
    if strange:
        raise ValueError(f'{path} has no input {", ".join(strange)}; its inputs: {names}')
    found = {spec.name: shapes.get(spec.name) or _shape(spec, size, batch) for spec in inputs}
    unknown = [s for s in inputs if found[s.name] is None or s.type not in DTYPES]
    if unknown:
        listed = '; '.join(f'{s.name} {list(s.shape)} {s.type}' for s in unknown)
        raise ValueError(
            f'{path}: unknown inputs: {listed}. Give shapes with --input NAME=1x3x320x320; allowed '
            f'types: {list(DTYPES)}'
        )
    draw = np.random.default_rng(0)
    return {s.name: _values(draw, found[s.name], DTYPES[s.type]) for s in inputs}


def _shape(spec: InputSpec, size: tuple[int, int], batch: int) -> tuple[int, ...] | None:
    """The shape of an input; None where a free dimension is neither N, nor H or W of an image."""
    shape, free = list(spec.shape), dict(enumerate([batch]))
    if len(shape) == 4 and shape[1] in CHANNELS:
        free |= {2: size[0], 3: size[1]}
    elif len(shape) == 4 and shape[3] in CHANNELS:
        free |= {1: size[0], 2: size[1]}
    elif len(shape) == 3 and shape[0] in CHANNELS:
        free = {1: size[0], 2: size[1]}
    filled = [n if isinstance(n, int) and n > 0 else free.get(i) for i, n in enumerate(shape)]
    return None if None in filled else tuple(filled)


def _values(draw: np.random.Generator, shape: Sequence[int], dtype: type) -> np.ndarray:
    """Pixels for what looks like images, ones for anything else, such as scale factors."""
    if len(shape) < 3:
        return np.ones(shape, dtype)
    if np.issubdtype(dtype, np.floating):
        return draw.standard_normal(shape).astype(dtype)
    return draw.integers(0, 2 if dtype is np.bool_ else 127, shape).astype(dtype)

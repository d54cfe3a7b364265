"""LiteRT, which was TensorFlow Lite, on the CPU through XNNPACK."""

from __future__ import annotations

import threading

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import ModelT
from numpy import ndarray

from ..archive import Archive
from ..contract import check_part, numbered
from ..formats import ForeignFile
from ..selection import SplitDetector


class _Net:
    """A graph of one size; fewer RoIs than it takes are padded."""

    def __init__(self, content: bytes, part: str, outputs: list[str], num_threads: int) -> None:
        _check_flatbuffer(content)
        self.net = Interpreter(model_content=content, num_threads=num_threads or 1)
        given, self.found = self.net.get_input_details(), self.net.get_output_details()
        check_part(part, numbered('in', given), numbered('out', self.found), outputs)
        self.net.allocate_tensors()
        (self.given,) = given
        self.lock = threading.Lock()

    def __call__(self, values: ndarray) -> list[ndarray]:
        count, lacking = len(values), self.given['shape'][0] - len(values)
        padded = np.pad(values, ((0, lacking), *[(0, 0)] * (values.ndim - 1)))
        with self.lock:
            self.net.set_tensor(self.given['index'], padded)
            self.net.invoke()
            return [self.net.get_tensor(one['index'])[:count] for one in self.found]


def _check_flatbuffer(content: bytes) -> None:
    """Refuse what the interpreter, which follows every offset, would read beyond the end of."""
    try:
        ModelT.InitFromPackedBuf(content, 0)
    except Exception as error:  # struct's and NumPy's, by what lies beyond the end
        raise ForeignFile('a graph of LiteRT that is cut or altered') from error


class LitertEngine:
    """A trunk and, of two-stage detectors, a head."""

    def __init__(self, archive: Archive, num_threads: int) -> None:
        def load(name: str, outputs: list[str]) -> _Net:
            return _Net(archive.files[f'{name}.tflite'], name, outputs, num_threads)

        self.detect = SplitDetector.of(archive, load)

    def __call__(self, images: ndarray) -> list[ndarray]:
        return self.detect(images)

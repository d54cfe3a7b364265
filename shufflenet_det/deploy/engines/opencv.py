"""OpenCV 5's own engine of graphs; its number of threads is one for the whole process."""

from __future__ import annotations

import threading

import cv2
import numpy as np
from numpy import ndarray

from ..archive import Archive
from ..contract import INPUT, check_content, check_part
from ..onnx_wire import GRAPH_INPUT, GRAPH_OUTPUT, value_names
from ..selection import SplitDetector

LEAST = 64
"""Side of the input, px: OpenCV 5.0 does not fill some maps of a single row or column."""


class _Net:
    def __init__(self, content: bytes, part: str, outputs: list[str]) -> None:
        check_content(content)
        given, found = (value_names(content, kind) for kind in (GRAPH_INPUT, GRAPH_OUTPUT))
        check_part(part, given, found, outputs)
        self.net = cv2.dnn.readNetFromONNX(
            np.frombuffer(content, np.uint8), engine=cv2.dnn.ENGINE_NEW
        )
        self.outputs, self.lock = outputs, threading.Lock()

    def __call__(self, values: ndarray) -> list[ndarray]:
        with self.lock:
            self.net.setInput(np.ascontiguousarray(values), INPUT)
            return [value.copy() for value in self.net.forward(self.outputs)]


class OpencvEngine:
    """A trunk and, of two-stage detectors, a head."""

    def __init__(self, archive: Archive, num_threads: int) -> None:
        if not hasattr(cv2.dnn, 'ENGINE_NEW'):
            raise ImportError(f'OpenCV {cv2.__version__} is installed, 5 is needed')
        if num_threads:
            cv2.setNumThreads(num_threads)

        def load(name: str, outputs: list[str]) -> _Net:
            return _Net(archive.files[f'{name}.onnx'], name, outputs)

        self.detect = SplitDetector.of(archive, load, LEAST)

    def __call__(self, images: ndarray) -> list[ndarray]:
        return self.detect(images)

"""MNN, on the CPU in single precision."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import MNN
import numpy as np
from numpy import ndarray

from ..archive import Archive
from ..contract import INPUT
from ..selection import SplitDetector


class _Net:
    def __init__(self, content: bytes, outputs: list[str], num_threads: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'graph.mnn')
            path.write_bytes(content)
            settings = dict(backend='CPU', numThread=num_threads or 1)
            # an own one: threads of the one that all share hang in a forked process
            self.manager = MNN.nn.create_runtime_manager((settings,))
            try:
                self.net = MNN.nn.load_module_from_file(
                    str(path), [INPUT], outputs, runtime_manager=self.manager
                )
            except SystemError as error:
                raise ValueError('not a graph of MNN') from error
        self.lock = threading.Lock()

    def __call__(self, values: ndarray) -> list[ndarray]:
        with self.lock:
            given = MNN.expr.const(
                np.ascontiguousarray(values), list(values.shape), MNN.expr.data_format.NCHW
            )
            return [self._as_read(value) for value in self.net.forward([given])]

    @staticmethod
    def _as_read(value: MNN.expr.Var) -> ndarray:
        if len(value.shape) == 4:  # channels stand in blocks
            value = MNN.expr.convert(value, MNN.expr.data_format.NCHW)
        return value.read().copy()


class MnnEngine:
    """A trunk and, of two-stage detectors, a head."""

    def __init__(self, archive: Archive, num_threads: int) -> None:
        def load(name: str, outputs: list[str]) -> _Net:
            return _Net(archive.files[f'{name}.mnn'], outputs, num_threads)

        self.detect = SplitDetector.of(archive, load)

    def __call__(self, images: ndarray) -> list[ndarray]:
        return self.detect(images)

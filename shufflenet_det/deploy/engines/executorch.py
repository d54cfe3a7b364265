"""ExecuTorch with XNNPACK; its Python package needs torch. Its threads are the whole process's."""

from __future__ import annotations

import threading

import numpy as np
import torch
from executorch.extension.pybindings import portable_lib
from executorch.runtime import Runtime
from numpy import ndarray

from ..archive import Archive
from ..contract import check_part, numbered
from ..selection import SplitDetector


class _Program:
    def __init__(self, content: bytes, part: str, outputs: list[str]) -> None:
        self.content = content  # it is read in place
        self.method = Runtime.get().load_program(content).load_method('forward')
        meta = self.method.metadata
        given, found = range(meta.num_inputs()), range(meta.num_outputs())
        check_part(part, numbered('in', given), numbered('out', found), outputs)
        self.lock = threading.Lock()

    def __call__(self, values: ndarray) -> list[ndarray]:
        with self.lock:
            found = self.method.execute([torch.from_numpy(np.ascontiguousarray(values))])
            return [value.numpy().copy() for value in found]


class ExecutorchEngine:
    """A trunk and, of two-stage detectors, a head."""

    def __init__(self, archive: Archive, num_threads: int) -> None:
        if num_threads:
            portable_lib._unsafe_reset_threadpool(num_threads)

        def load(name: str, outputs: list[str]) -> _Program:
            return _Program(archive.files[f'{name}.pte'], name, outputs)

        self.detect = SplitDetector.of(archive, load)

    def __call__(self, images: ndarray) -> list[ndarray]:
        return self.detect(images)

"""ExecuTorch with XNNPACK; its Python package needs torch. Its threads are the whole process's."""

from __future__ import annotations

import threading

import numpy as np
import torch
from executorch.extension.pybindings import portable_lib
from executorch.runtime import Runtime
from numpy import ndarray

from ..archive import Archive
from ..selection import SplitDetector


class _Program:
    def __init__(self, content: bytes) -> None:
        self.content = content  # it is read in place
        self.method = Runtime.get().load_program(content).load_method('forward')
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
        self.detect = SplitDetector.of(archive, lambda name: _Program(archive.files[f'{name}.pte']))

    def __call__(self, images: ndarray) -> list[ndarray]:
        return self.detect(images)

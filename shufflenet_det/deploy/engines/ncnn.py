"""ncnn, on the CPU in single precision."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import ncnn
import numpy as np
from numpy import ndarray

from ..archive import Archive
from ..contract import INPUT, check_part
from ..selection import Graph, SplitDetector
from .ncnn_param import check_param


class _Net:
    def __init__(
        self, files: Mapping[str, bytes], name: str, outputs: list[str], num_threads: int
    ) -> None:
        check_param(files[f'{name}.param'])
        self.net, self.outputs = ncnn.Net(), outputs
        self.net.opt.num_threads = num_threads or 1  # more hang in a forked process
        for option in ('use_fp16_packed', 'use_fp16_storage', 'use_fp16_arithmetic',
                       'use_bf16_storage', 'use_vulkan_compute'):  # fmt: skip
            setattr(self.net.opt, option, False)
        with tempfile.TemporaryDirectory() as folder:  # from memory, it reads beyond the end
            for end, load in (('param', self.net.load_param), ('bin', self.net.load_model)):
                path = Path(folder, f'{name}.{end}')
                path.write_bytes(files[path.name])
                if status := load(str(path)):
                    raise ValueError(f'status {status} from {path.name}')
        found = sorted(self.net.output_names(), key=lambda text: (len(text), text))
        check_part(name, self.net.input_names(), found, outputs)

    def run(self, values: ndarray) -> list[ndarray]:
        """Outputs without the axis of images."""
        extractor = self.net.create_extractor()
        extractor.input(INPUT, ncnn.Mat(values).clone())
        found = []
        for name in self.outputs:
            status, mat = extractor.extract(name)
            if status:
                raise ValueError(f'ncnn ends with status {status} at {name}')
            found.append(np.array(mat))
        return found


class NcnnEngine:
    """A trunk and, of two-stage detectors, a head; RoIs go through the head one by one."""

    def __init__(self, archive: Archive, num_threads: int) -> None:
        self.files, self.num_threads = archive.files, num_threads
        self.detect = SplitDetector.of(archive, self._graph)

    def _graph(self, name: str, outputs: list[str]) -> Graph:
        run = _Net(self.files, name, outputs, self.num_threads).run
        if name == 'trunk':
            return lambda images: [value[None] for value in run(images[0])]

        def each(rois: ndarray) -> list[ndarray]:
            found = [run(np.ascontiguousarray(roi)) for roi in rois]
            return [
                np.stack([value.ravel() for value in part]) for part in zip(*found, strict=True)
            ]

        return each

    def __call__(self, images: ndarray) -> list[ndarray]:
        return self.detect(images)

"""OpenVINO, on the CPU."""

from __future__ import annotations

import threading

import openvino
from numpy import ndarray

from ..archive import Archive

XML, BIN = 'model.xml', 'model.bin'


class OpenvinoEngine:
    """An intermediate representation; convolutions run in the precision of the file, else fp32."""

    def __init__(self, archive: Archive, num_threads: int) -> None:
        core = openvino.Core()
        model = core.read_model(archive.files[XML], archive.files[BIN])
        settings = {'INFERENCE_PRECISION_HINT': 'f32'}
        if num_threads:
            settings['INFERENCE_NUM_THREADS'] = num_threads
        self.compiled = core.compile_model(model, 'CPU', settings)
        self.local = threading.local()

    def __call__(self, images: ndarray) -> list[ndarray]:
        if not hasattr(self.local, 'request'):
            self.local.request = self.compiled.create_infer_request()
        found = self.local.request.infer({'images': images})
        return [found[name].copy() for name in ('boxes', 'scores', 'labels')]

"""OpenVINO, on the CPU."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import openvino
from numpy import ndarray

from ..archive import Archive
from ..contract import check_graph
from ..formats import ForeignFile
from ..model_info import ModelInfo

XML, BIN = 'model.xml', 'model.bin'


TYPES = dict(u8='tensor(uint8)', f32='tensor(float)', i64='tensor(int64)')
"""Name of a type -> as ONNX Runtime writes it."""
BODIES = ('If', 'Loop', 'TensorIterator')
"""Operators that hold a graph of their own, which may never end."""


@dataclass(frozen=True)
class _Value:
    """An input or an output, as ``contract.Value``."""

    name: str
    type: str
    shape: list[int | None]

    @classmethod
    def of(cls, port: openvino.Output) -> _Value:
        kind, shape = port.get_element_type().get_type_name(), port.get_partial_shape()
        sizes = [] if shape.rank.is_dynamic else shape
        return cls(
            ', '.join(sorted(port.get_names())), TYPES.get(kind, kind),
            [None if size.is_dynamic else size.get_length() for size in sizes],
        )  # fmt: skip


def _check_model(model: openvino.Model, output: str) -> None:
    strange = {op.get_type_name() for op in model.get_ops()} & set(BODIES)
    if strange:
        raise ForeignFile(f'it has an operator {min(strange)} with a graph of its own')
    check_graph(*(list(map(_Value.of, ports)) for ports in (model.inputs, model.outputs)), output)


class OpenvinoEngine:
    """An intermediate representation; convolutions run in the precision of the file, else fp32."""

    def __init__(self, archive: Archive, num_threads: int) -> None:
        # The plugin gives the thread that loads it a stack for signals, and frees that with the
        # core, in whichever thread it ends: afterwards a signal to the first would be SIGSEGV.
        with ThreadPoolExecutor(1) as loading:
            self.compiled = loading.submit(self._compiled, archive, num_threads).result()
        self.local = threading.local()

    @staticmethod
    def _compiled(archive: Archive, num_threads: int) -> openvino.CompiledModel:
        core = openvino.Core()
        model = core.read_model(archive.files[XML], archive.files[BIN])
        _check_model(model, ModelInfo.from_json(archive.info).output)
        settings = {'INFERENCE_PRECISION_HINT': 'f32'}
        if num_threads:
            settings['INFERENCE_NUM_THREADS'] = num_threads
        return core.compile_model(model, 'CPU', settings)

    def __call__(self, images: ndarray) -> list[ndarray]:
        if not hasattr(self.local, 'request'):
            self.local.request = self.compiled.create_infer_request()
        found = self.local.request.infer({'images': images})
        return [found[name].copy() for name in ('boxes', 'scores', 'labels')]

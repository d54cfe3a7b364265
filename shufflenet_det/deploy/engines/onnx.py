"""ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence

from numpy import ndarray

from ..contract import check_content, check_graph, read_info
from ..formats import ForeignFile
from ..onnx_runtime import InferenceSession, SessionOptions, check_providers


class OnnxEngine:
    """An .onnx file of ours.

    Args:
        content: Of the file.
        num_threads: 0 takes one for each core.
        providers: Execution providers in order of preference.

    Raises:
        ValueError: If it is corrupt or of another exporter, or no provider is at hand.
    """

    def __init__(self, content: bytes, num_threads: int, providers: Sequence[str]) -> None:
        check_content(content)
        check_providers(providers)
        options = SessionOptions()
        options.intra_op_num_threads = num_threads
        options.log_severity_level = 3
        try:
            self.session = InferenceSession(content, options, list(providers))
        except Exception as error:  # onnxruntime's own exceptions share no other base
            cause = str(error).split('\n')[0]
            raise ForeignFile(f'ONNX Runtime cannot load it ({cause})') from error
        self.info = read_info(self.session.get_modelmeta().custom_metadata_map)
        check_graph(self.session.get_inputs(), self.session.get_outputs(), self.info.output)

    def __call__(self, images: ndarray) -> list[ndarray]:
        return self.session.run(None, {'images': images})

"""What detectors are exported to: one row each. Nothing of a runtime is imported here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

REMEDY = 'write it with tools/export.py CONFIG CHECKPOINT'
"""Of a file that is none of ours."""


class ForeignFile(ValueError):
    """A file that is not as tools/export.py writes it; says what is to be done.

    Args:
        cause: What is strange about it.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(f'{cause}; {REMEDY}')


ANY_SIZE = 'sizes are read from the images'
LARGEST_SIDE = 'sizes are read from the images, up to the largest that the test pipeline gives'
ONE_SIZE = "litert-torch writes sizes of the example into the graph's slices: images are padded"


@dataclass(frozen=True)
class Format:
    """A runtime and how its files are made.

    Args:
        name: As ``tools/export.py --to`` and the file call it.
        modules: Needed to write a file, by the names that are imported.
        extra: Of setup.py that brings them.
        suffix: Of the file.
        dynamic: Whether a graph takes images of any number and size.
        why: Of ``dynamic``.
        precisions: That can be written.
        writer: ``module:function`` that makes a file's content, see ``exporting.py``.
        engine: ``module:class`` that runs it, see ``engines``.
        refusal: Why no file can be written; empty where one can.
        whole: Whether one graph holds the detector, for any number of images; else it is cut where
            proposals are selected, which runs in numpy, one image at a time.
    """

    name: str
    modules: tuple[str, ...]
    extra: str
    suffix: str
    dynamic: bool
    why: str
    precisions: tuple[str, ...]
    writer: str = ''
    engine: str = ''
    refusal: str = ''
    whole: bool = True

    def check(self, precision: str) -> None:
        """Refuse what cannot be written, before any work.

        Raises:
            ValueError: If there is no such file, or not of this precision.
            ImportError: If a package is missing, naming the line that installs it.
        """
        if self.refusal:
            raise ValueError(f'{self.name}: {self.refusal}')
        if precision not in self.precisions:
            allowed = ', '.join(self.precisions)
            raise ValueError(f'{self.name}: {precision} cannot be written, allowed is {allowed}')
        if missing := [name for name in self.modules if find_spec(name) is None]:
            raise ImportError(f'{self.name}: {", ".join(missing)} not installed: {self.pip}')

    @property
    def pip(self) -> str:
        """The line that installs what is needed."""
        return f"pip install 'shufflenet_det[{self.extra}]'"

    def load_writer(self) -> Callable:
        """The function that makes a file's content."""
        return _load(self.writer)

    def load_engine(self) -> Callable:
        """The engine's class.

        Raises:
            ImportError: If its runtime is missing, naming the line that installs it.
        """
        try:
            return _load(self.engine)
        except ImportError as error:
            raise ImportError(f'{self.name} is not installed ({error}): {self.pip}') from error


def _load(place: str) -> Callable:
    module, name = place.split(':')
    return getattr(import_module(f'.{module}', __package__), name)


FORMATS = {row.name: row for row in (
    Format(
        'onnx', ('onnx', 'onnxruntime', 'onnxscript'), 'deploy', '.onnx', True, ANY_SIZE,
        ('fp32', 'fp16', 'int8'), 'writers.whole:write_onnx', 'engines.onnx:OnnxEngine',
    ),
    Format(
        'openvino', ('onnx', 'onnxscript', 'openvino', 'onnxruntime'), 'openvino', '.openvino.zip',
        True, ANY_SIZE, ('fp32', 'fp16', 'int8'), 'writers.openvino:write',
        'engines.openvino:OpenvinoEngine',
    ),
    Format(
        'opencv', ('onnx', 'cv2'), 'deploy', '.opencv.zip', True, ANY_SIZE, ('fp32',),
        'writers.opencv:write', 'engines.opencv:OpencvEngine', whole=False,
    ),
    Format(
        'ncnn', ('ncnn', 'pnnx'), 'ncnn', '.ncnn.zip', True, ANY_SIZE, ('fp32', 'fp16'),
        'writers.ncnn:write', 'engines.ncnn:NcnnEngine', whole=False,
    ),
    Format(
        'mnn', ('MNN', 'onnx'), 'mnn', '.mnn.zip', True, ANY_SIZE, ('fp32', 'fp16'),
        'writers.mnn:write', 'engines.mnn:MnnEngine', whole=False,
    ),
    Format(
        'executorch', ('executorch',), 'executorch', '.executorch.zip', True, LARGEST_SIDE,
        ('fp32',), 'writers.executorch:write', 'engines.executorch:ExecutorchEngine', whole=False,
    ),
    Format(
        'litert', ('litert_torch', 'ai_edge_litert'), 'litert', '.litert.zip', False, ONE_SIZE,
        ('fp32',), 'writers.litert:write', 'engines.litert:LitertEngine', whole=False,
    ),
    Format(
        'tensorrt', (), '', '', False, 'an engine is built for one GPU', (),
        refusal='an engine is bound to the GPU that it was built on, and none was at hand to test '
        "one; its TopK stops at 3840 candidates, where the RPN's nms_pre is often higher: write "
        '--to onnx and build the engine from that file on your device',
    ),
)}  # fmt: skip

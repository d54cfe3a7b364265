"""The exported detector on images, with numpy, onnxruntime, OpenCV and Pillow only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy import ndarray

from shufflenet_det.data.pixels import as_image, pad_thin

from .contract import REMEDY, check_content, check_detections, check_graph, read_info
from .model_info import ModelInfo
from .onnx_runtime import InferenceSession, SessionOptions
from .sources import Source
from .stream import Found, find_in, scale_to


class Detector:
    """An exported detector; called with a BGR image (H, W, 3) uint8, it finds objects.

    Args:
        model: File written by tools/export_onnx.py.
        num_threads: Threads of ONNX Runtime; 0 takes one for each core.
        providers: Execution providers of ONNX Runtime in order of preference.
        size: Longer side of the input in px; None takes the file's.

    Attributes:
        classes: Names by label.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming the file, if it is corrupt, says of itself what is not allowed, has a
            graph of another exporter, or no post-processing.
    """

    def __init__(
        self,
        model: str | Path,
        num_threads: int = 0,
        providers: Sequence[str] = ('CPUExecutionProvider',),
        size: int | None = None,
    ) -> None:
        self._given = Path(model).absolute(), num_threads, tuple(providers), size
        self.path = Path(model)
        self.session, self.info = _open(self.path, num_threads, list(providers))
        if self.info.output != 'detections':
            raise ValueError(
                f'{model}: its graph gives {self.info.output}, not detections; {REMEDY}, without '
                '--backbone-only and --without-postprocess'
            )
        if size is not None and self.info.resize is not None:
            scale = scale_to(self.info.resize.scale, size)
            self.info = replace(self.info, resize=replace(self.info.resize, scale=scale))
        self.classes = self.info.classes

    def find_in(self, source: Source | str | Path, score_thr: float = 0.3) -> Iterator[Found]:
        """What it finds in an image, a folder, a pattern, a video or a camera, frame by frame.

        Raises:
            OSError, ValueError: As :func:`shufflenet_det.deploy.stream.find_in`.
        """
        return find_in(self, source, score_thr)

    def __reduce__(self) -> tuple:
        """Pickled for another process, which opens the file again."""
        return type(self), self._given

    def __call__(self, image: ndarray | str | Path) -> tuple[ndarray, ndarray, ndarray]:
        """Boxes (K, 4) x1, y1, x2, y2 in pixels of the image, scores (K,) and labels (K,).

        A very thin image is padded with black as in PyTorch; boxes end at the image's border.

        Args:
            image: BGR image (H, W, 3) uint8, or an image file.

        Raises:
            FileNotFoundError: If the image file does not exist.
            ValueError: If it is no image, or the graph fails on it.
        """
        image = as_image(image)
        padded = pad_thin(image)
        resized = padded if self.info.resize is None else self.info.resize(padded)
        batch = np.ascontiguousarray(resized.transpose(2, 0, 1)[None])
        boxes, scores, labels = (out[0] for out in self._run(batch))
        found = labels >= 0
        height = resized.shape[0] / padded.shape[0]
        width = resized.shape[1] / padded.shape[1]
        factor = np.array([1 / width, 1 / height] * 2, dtype=boxes.dtype)
        limit = np.array(image.shape[1::-1] * 2, dtype=boxes.dtype)
        return (boxes[found] * factor).clip(0, limit), scores[found], labels[found]

    def _run(self, images: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        """Boxes (N, K, 4), scores (N, K) and labels (N, K) of images (N, 3, H, W) uint8."""
        try:
            boxes, scores, labels = self.session.run(None, {'images': images})
            check_detections(boxes, scores, labels, self.classes)
        except Exception as error:  # onnxruntime's own exceptions share no other base
            cause = str(error).split('\n')[0]
            raise ValueError(f'{self.path}: fails on images {images.shape}: {cause}') from error
        return boxes, scores, labels


def _open(path: Path, num_threads: int, providers: list[str]) -> tuple[InferenceSession, ModelInfo]:
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; {REMEDY}')
    try:
        content = path.read_bytes()
        check_content(content)
        session = _session(content, num_threads, providers)
        info = read_info(session.get_modelmeta().custom_metadata_map)
        check_graph(session.get_inputs(), session.get_outputs(), info.output)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    return session, info


def _session(content: bytes, num_threads: int, providers: list[str]) -> InferenceSession:
    options = SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3
    try:
        return InferenceSession(content, options, providers)
    except Exception as error:  # onnxruntime's own exceptions share no other base
        cause = str(error).split('\n')[0]
        raise ValueError(f'ONNX Runtime cannot load it ({cause}); {REMEDY}') from error

"""The exported detector on images, with numpy, onnxruntime, OpenCV and Pillow only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy import ndarray

from shufflenet_det.data.pixels import as_image, pad_thin

from .sources import Source
from .stream import Found, find_in, scale_to

METADATA_KEY = 'shufflenet_det'
"""Metadata property of the .onnx file that holds a `ModelInfo` as JSON."""

INTERPOLATIONS = {
    'nearest': cv2.INTER_NEAREST,
    'bilinear': cv2.INTER_LINEAR,
    'bicubic': cv2.INTER_CUBIC,
    'area': cv2.INTER_AREA,
    'lanczos': cv2.INTER_LANCZOS4,
}
REMEDY = 'write it with tools/export_onnx.py CONFIG CHECKPOINT OUT.onnx'


@dataclass(frozen=True)
class Resize:
    """How an image is resized before it enters the graph.

    Args:
        scale: Size that is not exceeded with keep_ratio (longer side, shorter side, in any order),
            else the new width and height, in px.
        keep_ratio: Keep the aspect ratio.
        interpolation: A key of INTERPOLATIONS.
    """

    scale: tuple[int, int]
    keep_ratio: bool
    interpolation: str = 'bilinear'

    def __call__(self, image: ndarray) -> ndarray:
        height, width = image.shape[:2]
        size = self.scale
        if self.keep_ratio:
            long_side, short_side = max(size), min(size)
            factor = min(long_side / max(height, width), short_side / min(height, width))
            size = max(int(width * factor + 0.5), 1), max(int(height * factor + 0.5), 1)
        return cv2.resize(image, tuple(size), interpolation=INTERPOLATIONS[self.interpolation])


@dataclass(frozen=True)
class ModelInfo:
    """What travels in the file beside the graph.

    Args:
        output: What the graph gives, a key of `onnx_export.OUTPUTS`.
        classes: Names by label.
        resize: Resizing that the graph expects, None for images as they are.
        normalisation: mean, std, bgr_to_rgb and pad_size_divisor, which the graph applies itself.
        precision: fp32, fp16 or int8.
    """

    output: str
    classes: tuple[str, ...]
    resize: Resize | None
    normalisation: dict
    precision: str = 'fp32'

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Read what a file holds in its metadata."""
        content = json.loads(text)
        resize = content['resize'] and Resize(**content['resize'])
        return cls(**content | dict(classes=tuple(content['classes']), resize=resize))


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
        ValueError: If the file is corrupt, from another exporter, or has no post-processing.
    """

    def __init__(
        self,
        model: str | Path,
        num_threads: int = 0,
        providers: Sequence[str] = ('CPUExecutionProvider',),
        size: int | None = None,
    ) -> None:
        self._given = Path(model).absolute(), num_threads, tuple(providers), size
        self.session = _open(Path(model), num_threads, list(providers))
        self.info = _read_info(self.session, model)
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
            ValueError: If it is no image.
        """
        image = as_image(image)
        padded = pad_thin(image)
        resized = padded if self.info.resize is None else self.info.resize(padded)
        batch = np.ascontiguousarray(resized.transpose(2, 0, 1)[None])
        boxes, scores, labels = (out[0] for out in self.session.run(None, {'images': batch}))
        found = labels >= 0
        height = resized.shape[0] / padded.shape[0]
        width = resized.shape[1] / padded.shape[1]
        factor = np.array([1 / width, 1 / height] * 2, dtype=boxes.dtype)
        limit = np.array(image.shape[1::-1] * 2, dtype=boxes.dtype)
        return (boxes[found] * factor).clip(0, limit), scores[found], labels[found]


def _open(path: Path, num_threads: int, providers: list[str]) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; {REMEDY}')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers)
    except Exception as error:  # onnxruntime's own exceptions share no other base
        cause = str(error).split('\n')[0]
        raise ValueError(
            f'{path}: ONNX Runtime cannot load it ({cause}); the file is corrupt or no ONNX '
            f'model: {REMEDY}'
        ) from error


def _read_info(session: onnxruntime.InferenceSession, path: str | Path) -> ModelInfo:
    properties = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in properties:
        raise ValueError(
            f'{path}: an ONNX model without our metadata ({METADATA_KEY}), so classes and resizing '
            f'are not known; {REMEDY}'
        )
    return ModelInfo.from_json(properties[METADATA_KEY])

"""An exported detector on images: numpy, OpenCV, Pillow and the runtime of its file only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path

import numpy as np
from numpy import ndarray

from shufflenet_det.data.pixels import as_image, pad_thin

from .contract import check_detections
from .fields import check_whole
from .formats import FORMATS, REMEDY
from .opening import CPU, cause, check_names, checked_path, open_file
from .sources import Source
from .stream import SURE, Detections, Found, find_in, scale_to

MAX_THREADS = 1024
MAX_BATCH = 2**20


class Detector:
    """An exported detector; called with a BGR image (H, W, 3) uint8, it finds objects.

    What a file needs is read from what is in it: ONNX Runtime, or the runtime of an archive. It may
    be called from several threads, pickled, and used in forked processes, where the file is opened
    again.

    Args:
        model: File written by tools/export.py, or the name of one that the package holds.
        num_threads: Threads of the runtime; 0 takes one for each core, with ncnn, MNN
            and LiteRT one.
        providers: Execution providers of ONNX Runtime in order of preference.
        size: Longer side of the input in px; None takes the file's.

    Attributes:
        classes: Names by label.

    Raises:
        OSError: If there is no such file, or it is a folder.
        ImportError: If its runtime is not installed, naming the line that installs it.
        ValueError: Naming the file, if it is corrupt, says of itself what is not allowed, has a
            graph of another exporter, or no post-processing; naming the option that is wrong.
    """

    def __init__(
        self,
        model: str | Path,
        num_threads: int = 0,
        providers: Sequence[str] = CPU,
        size: int | None = None,
    ) -> None:
        model = checked_path(model)
        check_whole('num_threads', num_threads, 0, MAX_THREADS)
        check_names(providers)
        self._given = model.absolute(), num_threads, tuple(providers), size
        self.path = model
        self.runtime, self.engine, self.info = open_file(self.path, num_threads, tuple(providers))
        self._process, self._inherited = os.getpid(), []
        if self.info.output != 'detections':
            raise ValueError(
                f'{model}: its graph gives {self.info.output}, not detections; {REMEDY}, without '
                '--backbone-only and --without-postprocess'
            )
        if size is not None and self.info.resize is None:
            raise ValueError(f'{model}: takes images as they are, so that size {size} sets nothing')
        if size is not None:
            scale = scale_to(self.info.resize.scale, size)
            self.info = replace(self.info, resize=replace(self.info.resize, scale=scale))
        self.classes = self.info.classes

    def find_in(
        self, source: Source | str | Path | int, score_thr: float = SURE
    ) -> Iterator[Found]:
        """What it finds in an image, a folder, a pattern, a video or a camera, frame by frame.

        Raises:
            OSError, ValueError: As :func:`shufflenet_det.deploy.stream.find_in`.
        """
        return find_in(self, source, score_thr)

    def __reduce__(self) -> tuple:
        """Pickled for another process, which opens the file again."""
        return type(self), self._given

    def __call__(self, image: ndarray | str | Path) -> Detections:
        """Boxes (K, 4) x1, y1, x2, y2 in pixels of the image, scores (K,) and labels (K,).

        A very thin image is padded with black as in PyTorch; boxes end at the image's border.

        Args:
            image: BGR image (H, W, 3) uint8, or an image file.

        Raises:
            FileNotFoundError: If the image file does not exist.
            ValueError: If it is no image, or the graph fails on it.
        """
        (found,) = self.each([image])
        return found

    def each(self, images: Iterable[ndarray | str | Path], batch: int = 1) -> Iterator[Detections]:
        """What it finds in each of some images, or frames as they come.

        Args:
            images: As in a call.
            batch: So many neighbouring images of one size are run at once, where the runtime can.

        Raises:
            FileNotFoundError, ValueError: As a call; if it is one image, or batch is below 1.
        """
        check_whole('batch', batch, 1, MAX_BATCH)
        if not _are_several(images):
            raise ValueError(
                f'a list or an iterator of images is needed, got {type(images).__name__}; call the '
                'detector itself with one image, and find_in with a folder or a video'
            )
        return self._each(images, batch if FORMATS[self.runtime].whole else 1)

    def _each(self, images: Iterable[ndarray | str | Path], batch: int) -> Iterator[Detections]:
        prepared = (self._prepared(image) for image in images)
        for _, group in groupby(enumerate(prepared), lambda item: item[1][0].shape):
            yield from self._in_batches((item for _, item in group), batch)

    def _in_batches(self, group: Iterator[tuple], batch: int) -> Iterator[Detections]:
        while members := list(islice(group, batch)):
            resized = np.stack([image.transpose(2, 0, 1) for image, _, _ in members])
            found = self._run(np.ascontiguousarray(resized))
            for (image, padded, size), *parts in zip(members, *found, strict=True):
                yield _in_pixels(*parts, image.shape, padded, size)

    def _prepared(self, image: ndarray | str | Path) -> tuple[ndarray, tuple, tuple]:
        """The image as the graph reads it, and its shapes with and without padding of thin ones."""
        image = as_image(image)
        padded = pad_thin(image)
        resized = padded if self.info.resize is None else self.info.resize(padded)
        return resized, padded.shape, image.shape

    def _run(self, images: ndarray) -> Sequence[ndarray]:
        """Boxes (N, K, 4), scores (N, K) and labels (N, K) of images (N, 3, H, W) uint8."""
        if os.getpid() != self._process:
            self._reopen()
        try:
            boxes, scores, labels = self.engine(images)
            check_detections(boxes, scores, labels, self.classes, len(images))
        except Exception as error:  # the runtimes' own exceptions share no other base
            raise ValueError(
                f'{self.path}: fails on images {images.shape}: {cause(error)}'
            ) from error
        return boxes, scores, labels

    def _reopen(self) -> None:
        """In a fork, where the threads of the engine do not live on; nor can they be ended."""
        self._inherited.append(self.engine)
        self.engine, self._process = open_file(*self._given[:3])[1], os.getpid()


def _are_several(images: object) -> bool:
    if isinstance(images, ndarray):
        return images.ndim == 4
    return isinstance(images, Iterable) and not isinstance(images, str | bytes | os.PathLike)


def _in_pixels(
    boxes: ndarray, scores: ndarray, labels: ndarray, resized: tuple, padded: tuple, size: tuple
) -> Detections:
    """Detections of one image in its own pixels, from shapes (H, W, 3)."""
    found = labels >= 0
    height, width = resized[0] / padded[0], resized[1] / padded[1]
    factor = np.array([1 / width, 1 / height] * 2, dtype=boxes.dtype)
    limit = np.array(size[1::-1] * 2, dtype=boxes.dtype)
    return (boxes[found] * factor).clip(0, limit), scores[found], labels[found]

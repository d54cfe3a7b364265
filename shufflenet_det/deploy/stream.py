"""Detection frame by frame, from any source into any sinks; numpy, OpenCV and Pillow only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from time import perf_counter
from typing import Protocol

from numpy import ndarray

from shufflenet_det.data.coco import check_predictions
from shufflenet_det.data.pixels import MAX_PIXELS

from .fields import check_whole, shown
from .sources import Source, open_source

Detections = tuple[ndarray, ndarray, ndarray]
"""Boxes (K, 4), scores (K,) and labels (K,) of one image."""

SURE = 0.3
"""Score from which a detection is shown, unless another is asked for."""


class Predictor(Protocol):
    """Anything that finds objects in an image.

    Called with a BGR image (H, W, 3) uint8 or an image file, it returns boxes (K, 4) x1, y1, x2, y2
    in its pixels, scores (K,) and labels (K,), an index into ``classes``.
    """

    classes: Sequence[str]

    def __call__(self, image: ndarray | str | Path) -> Detections: ...


def scale_to(scale: Sequence[int], size: int) -> tuple[int, int]:
    """A scale of `Resize` with its longer side at ``size`` px.

    Raises:
        ValueError: If size is no whole number of px, or under 32, the stride of the last stage.
    """
    check_whole('size, the longer side of the input in px,', size, 32, MAX_PIXELS)
    return tuple(round(side * size / max(scale)) for side in scale)


@dataclass(frozen=True)
class Found:
    """What was found in a frame.

    Args:
        name: Of the frame.
        image: BGR (H, W, 3) uint8.
        detections: Boxes (K, 4) x1, y1, x2, y2 in px, scores (K,) and labels (K,).
        ms: Of the predictor, without reading, drawing and writing.
        still: As of :class:`shufflenet_det.deploy.sources.Frame`.
    """

    name: str
    image: ndarray
    detections: Detections
    ms: float
    still: bool


def find_in(
    predictor: Predictor, source: Source | str | Path | int, score_thr: float = SURE
) -> Iterator[Found]:
    """What a predictor finds in every frame of a source, one by one.

    Raises:
        OSError, ValueError: As ``sources.open_source``; if a prediction is undefined, e.g. NaN, or
            the threshold is none.
    """
    if not isinstance(score_thr, Real) or not 0 <= score_thr <= 1:
        raise ValueError(f'score_thr is {shown(score_thr)}, allowed is 0 to 1')
    for frame in source if isinstance(source, Source) else open_source(source):
        start = perf_counter()
        boxes, scores, labels = predictor(frame.pixels)
        ms = 1000 * (perf_counter() - start)
        check_predictions(frame.name, boxes, scores, labels, len(predictor.classes))
        keep = scores >= score_thr
        detections = boxes[keep], scores[keep], labels[keep]
        yield Found(frame.name, frame.pixels, detections, ms, frame.still)


def detect(
    predictor: Predictor,
    source: Source,
    sinks: Sequence,
    score_thr: float = SURE,
    watch: Callable[[Iterable[Found]], Iterable[Found]] = iter,
) -> list[float]:
    """Detect in every frame of a source and give it to the sinks.

    What was found before an error, or before Ctrl-C, is written all the same; Ctrl-C ends a source
    as its last frame does.

    Args:
        predictor: The detector.
        source: From ``sources.open_source``.
        sinks: From ``sinks.open_sinks``.
        score_thr: Detections below it are left out.
        watch: Wraps the frames, e.g. into a progress bar.

    Returns:
        ms of the predictor for each frame.

    Raises:
        OSError, ValueError: As :func:`find_in` and the sinks.
    """
    times = []
    with ExitStack() as stack:
        for sink in sinks:
            stack.callback(sink.close)
        try:
            for found in watch(find_in(predictor, source, score_thr)):
                for sink in sinks:
                    sink.take(found)
                times.append(found.ms)
        except KeyboardInterrupt:
            pass
    return times

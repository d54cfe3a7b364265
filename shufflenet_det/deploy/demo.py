"""A page in the browser that detects in a picture or in what the camera sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from .drawing import draw
from .predict import is_exported, load_predictor
from .stream import SURE, Predictor

if TYPE_CHECKING:
    import gradio

LARGEST, STEP = 1344, 32
"""Of the longer side, in px."""

KEPT = 4
"""Models in memory."""


class Demo:
    """What the page calls: it keeps the last models, and turns errors into a line.

    Args:
        models: Names and .onnx files to choose from.
        device: Of MMDetection's detectors.
    """

    def __init__(self, models: Sequence[str], device: str | None = None) -> None:
        self.models = list(models)
        self.device, self.load = device, lru_cache(KEPT)(self._load)

    def _load(self, model: str, size: int | None) -> Predictor:
        return load_predictor(model, None, None if is_exported(model) else self.device, size)

    def __call__(
        self, image: ndarray | None, model: str, size: int | None, score_thr: float
    ) -> tuple[ndarray | None, str]:
        """The picture with boxes, and a line with their number and the time.

        Args:
            image: RGB (H, W, 3) uint8; None gives no picture.
            model: One of models.
            size: Longer side of the input in px; None or 0 takes the model's own.
            score_thr: Boxes below it are not drawn.
        """
        if image is None:
            return None, 'Give a picture.'
        try:
            predictor = self.load(model, int(size) if size else None)
            start = perf_counter()
            boxes, scores, labels = predictor(np.ascontiguousarray(image[..., ::-1]))
            ms = 1000 * (perf_counter() - start)
        except (ImportError, OSError, ValueError) as error:
            return None, f'Error: {" ".join(str(error).split())}'
        keep = scores >= score_thr
        found = boxes[keep], scores[keep], labels[keep]
        picture = draw(image[..., ::-1], *found, predictor.classes)
        return picture[..., ::-1], f'{keep.sum()} objects in {ms:.1f} ms'


def page(detect: Callable, models: Sequence[str]) -> gradio.Interface:
    """The page; ``launch`` of what is returned opens it.

    Raises:
        ImportError: If gradio is not installed.
    """
    try:
        import gradio
    except ImportError as error:
        raise ImportError("gradio is not installed: pip install 'shufflenet_det[demo]'") from error
    return gradio.Interface(
        detect,
        inputs=[
            gradio.Image(label='Picture', sources=['upload', 'webcam', 'clipboard']),
            gradio.Dropdown(list(models), value=models[0], label='Model'),
            gradio.Slider(0, LARGEST, 0, step=STEP, label="Size in px; 0 is the model's own"),
            gradio.Slider(0, 1, SURE, step=0.01, label='Threshold of the score'),
        ],
        outputs=[gradio.Image(label='Detections', format='png'), gradio.Textbox(label='Found')],
        title='Objects in a picture',
        flagging_mode='never',
        api_name='detect',
    )

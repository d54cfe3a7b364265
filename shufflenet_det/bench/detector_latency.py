"""Speed of whole detectors of MMDetection, and of their parts."""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from shufflenet_det.training.launch import load_config

from .detector_forms import DETECTOR_FORMS, boxes_in_single, build_detector, submodule
from .forms import OUTSIDE_TORCH, first_line, forms_for
from .timing import (
    Spent,
    Timing,
    in_turns,
    peak_memory,
    summarise,
    synchronize,
    time_call,
    warm_up,
)

PARTS = {
    'backbone': ('backbone', 'forward'),
    'neck': ('neck', 'forward'),
    'RPN': ('rpn_head', 'forward'),
    'proposals': ('rpn_head', 'predict_by_feat'),
    'thin map': ('roi_head', 'thin_maps'),
    'RoI pooling': ('roi_head.bbox_roi_extractor', 'forward'),
    'RoI head': ('roi_head.bbox_head', 'forward'),
    'RoI post-processing': ('roi_head.bbox_head', 'predict_by_feat'),
    'dense head': ('bbox_head', 'forward'),
    'post-processing': ('bbox_head', 'predict_by_feat'),
}
"""Part -> (module, method) that does it. No part calls another, so that times add up."""

POST_PROCESSING = ('RoI post-processing', 'post-processing')

REST = 'rest'
"""Time of a detector that is in no part: Python, data samples, reshaping between parts."""


@dataclass(frozen=True)
class DetectorRow:
    """One detector in one form.

    Args:
        config: Name of the config file.
        options: Options of configs/options on it.
        weights: Name of the checkpoint file; ``random`` where there was none.
        form: A key of :data:`DETECTOR_FORMS`.
        total: The whole of ``predict``, from the normalised image to the boxes.
        without_post: ``total`` without the last decoding and suppression; None where these
            cannot be told apart.
        parts: A key of :data:`PARTS`, or :data:`REST`, and its time; the parts add up to the
            total in every turn.
        detections: Boxes that came out, which post-processing depends on.
    """

    config: str
    options: tuple[str, ...]
    weights: str
    form: str
    total: Timing
    without_post: Timing | None
    parts: tuple[Timing, ...]
    detections: int


class DetectorRun:
    """A detector in one form, ready to be measured on an input.

    Args:
        config: Config file.
        form: A key of :data:`DETECTOR_FORMS`.
        x: Normalised images (N, 3, H, W); the detector moves to their device and dtype.
        checkpoint, options: As in :func:`build_detector`.

    Raises:
        ValueError: If the form is unknown, or the detector cannot take it or the input.
    """

    def __init__(
        self,
        config: str | Path,
        form: str,
        x: Tensor,
        checkpoint: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        if form not in DETECTOR_FORMS:
            raise ValueError(f'form {form!r} is not for detectors; allowed: {list(DETECTOR_FORMS)}')
        self.config, self.form, self.x, self.device = Path(config).stem, form, x, str(x.device)
        self.options, self.weights = tuple(options), Path(checkpoint or 'random').name
        self.model = build_detector(config, checkpoint, options).to(x.device)
        try:
            self.model = DETECTOR_FORMS[form](self.model, x.float())
            if x.dtype != torch.float32:
                self.model.to(x.dtype)
                boxes_in_single(self.model)
            self.detections = self()
        except (RuntimeError, ValueError) as error:
            where = f'{config} in form {form} with input {tuple(x.shape)}'
            raise ValueError(f'{where}: {first_line(error)}') from error
        self._start_series()

    def _start_series(self) -> None:
        self.totals: list[Spent] = []
        self.spent: dict[str, list[float]] = defaultdict(list)

    def again(self) -> DetectorRun:
        """The same detector, to be measured a second time."""
        other = copy.copy(self)
        other._start_series()
        return other

    @torch.inference_mode()
    def __call__(self) -> int:
        """Number of boxes found."""
        size = tuple(self.x.shape[-2:])
        meta = dict(img_shape=size, ori_shape=size, pad_shape=size, batch_input_shape=size)
        samples = [DetDataSample(metainfo=dict(meta, scale_factor=(1.0, 1.0))) for _ in self.x]
        return sum(len(found.pred_instances) for found in self.model.predict(self.x, samples))

    def turn(self) -> None:
        """Measure one call."""
        with _clocks(self.model, self.device) as spent:
            total = time_call(self, self.device)
        self.totals.append(total)
        for part, ms in spent.items():
            self.spent[part].append(ms)
        self.spent[REST].append(total.wall_ms - sum(spent.values()))

    def row(self) -> DetectorRow:
        """What the turns so far add up to."""
        post = [self.spent[part] for part in POST_PROCESSING if part in self.spent]
        totals = [total.wall_ms for total in self.totals]
        without = [total - sum(ms) for total, *ms in zip(totals, *post, strict=True)]
        images = len(self.x)
        peak = None if self.form in OUTSIDE_TORCH else peak_memory(self, self.device)
        return DetectorRow(
            self.config, self.options, self.weights, self.form,
            summarise('detector', totals, 1, images, peak, [t.cpu_ms for t in self.totals]),
            summarise('without post-processing', without, 1, images) if post else None,
            tuple(summarise(part, ms, 1, images) for part, ms in self.spent.items() if any(ms)),
            self.detections,
        )  # fmt: skip


def prepare_detector(
    target: str, forms: Sequence[str], x: Tensor, options: Sequence[str] = ()
) -> list[DetectorRun]:
    """A detector in those of the forms that exist for its backbone.

    Args:
        target: ``CONFIG`` or ``CONFIG=CHECKPOINT``.
        forms, x, options: As in :class:`DetectorRun`.
    """
    config, _, checkpoint = target.partition('=')
    backbone = load_config(config).get('model', {}).get('backbone', {})
    existing = forms_for(config, backbone, forms)
    return [DetectorRun(config, form, x, checkpoint or None, options) for form in existing]


def run_detectors(
    runs: Sequence[DetectorRun], turns: int = 10, seconds: float | None = None
) -> tuple[list[DetectorRow], Timing]:
    """Measure detectors in rounds whose order rotates, and the first one twice.

    Args:
        runs: The detectors.
        turns, seconds: As in :func:`~shufflenet_det.bench.timing.measure`.

    Returns:
        The rows, and the second measurement of the first detector.
    """
    for run in runs:
        warm_up(run, run.device)
    again = runs[0].again()
    for run in in_turns([*runs, again], turns, seconds):
        run.turn()
    return [run.row() for run in runs], again.row().total


@contextmanager
def _clocks(model: nn.Module, device: str) -> Iterator[dict[str, float]]:
    """Part -> ms spent in it while the context lasts, of the parts that the model has."""
    spent: dict[str, float] = {}
    timed = []
    for part, (path, method) in PARTS.items():
        owner = submodule(model, path)
        if owner is not None and hasattr(owner, method):
            spent[part] = 0.0
            setattr(owner, method, _timed(getattr(owner, method), part, spent, device))
            timed.append((owner, method))
    try:
        yield spent
    finally:
        for owner, method in timed:
            delattr(owner, method)


def _timed(method: Callable, part: str, spent: dict[str, float], device: str) -> Callable:
    def call(*args, **kwargs):
        synchronize(device)
        start = time.perf_counter()
        result = method(*args, **kwargs)
        synchronize(device)
        spent[part] += 1000 * (time.perf_counter() - start)
        return result

    return call

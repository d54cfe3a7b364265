"""Speed of whole detectors of MMDetection, and of their parts."""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from torch import Tensor

from shufflenet_det.training.launch import load_config

from .detector_forms import DETECTOR_FORMS, OfPixels, boxes_in_single, build_detector
from .detector_parts import POST_PROCESSING, RESIZING, REST, part_clocks
from .energy import energy_meter
from .forms import OUTSIDE_TORCH, first_line, forms_for
from .memory import peak_memory
from .pictures import Pictures, normalise, pixels_of
from .timing import Spent, Timing, in_turns, mean_joules, summarise, time_call, warm_up


def samples_of(insides: Sequence[tuple[int, int]], size: tuple[int, int]) -> list[DetDataSample]:
    """What ``predict`` reads besides images: their sizes (H, W) inside of a padded batch."""
    common = dict(pad_shape=size, batch_input_shape=size, scale_factor=(1.0, 1.0))
    return [
        DetDataSample(metainfo=dict(common, img_shape=inside, ori_shape=inside))
        for inside in insides
    ]


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
        parts: A key of :data:`~shufflenet_det.bench.detector_parts.PARTS`, or :data:`REST`, and its
            time; the parts add up to the total in every turn.
        detections: Boxes that came out of a call, which post-processing depends on; the mean over
            pictures.
    """

    config: str
    options: tuple[str, ...]
    weights: str
    form: str
    total: Timing
    without_post: Timing | None
    parts: tuple[Timing, ...]
    detections: float


class DetectorRun:
    """A detector in one form, ready to be measured on an input.

    Args:
        config: Config file.
        form: A key of :data:`DETECTOR_FORMS`.
        x: Normalised images (N, 3, H, W); the detector moves to their device and dtype.
        checkpoint, options: As in :func:`build_detector`.
        pictures: What is seen instead of x, at its size, turn by turn.

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
        pictures: Pictures | None = None,
    ) -> None:
        if form not in DETECTOR_FORMS:
            raise ValueError(f'form {form!r} is not for detectors; allowed: {list(DETECTOR_FORMS)}')
        start = time.perf_counter()
        self.config, self.form, self.x, self.device = Path(config).stem, form, x, str(x.device)
        self.options, self.weights = tuple(options), Path(checkpoint or 'random').name
        self.pictures, self.inside = pictures, [tuple(x.shape[-2:])] * len(x)
        self.model = build_detector(config, checkpoint, options).to(x.device)
        self.preprocessor = self.model.data_preprocessor
        self._start_series()
        try:
            self._convert(x)
            self.load_ms = 1000 * (time.perf_counter() - start)
            if pictures:
                self._take(0)
            self.first = time_call(self, self.device)
        except (RuntimeError, ValueError) as error:
            where = f'{config} in form {form} with input {tuple(x.shape)}'
            raise ValueError(f'{where}: {first_line(error)}') from error

    def _convert(self, x: Tensor) -> None:
        self.model = DETECTOR_FORMS[self.form](self.model, x.float())
        if x.dtype != torch.float32:
            self.model.to(x.dtype)
            boxes_in_single(self.model)

    def _start_series(self) -> None:
        self.totals: list[Spent] = []
        self.spent: dict[str, list[float]] = defaultdict(list)
        self.boxes: list[int] = []

    def _take(self, turn: int) -> None:
        """Resize and normalise the pictures of a turn."""
        size = tuple(self.x.shape[-2:])
        pixels, self.inside = pixels_of(self.pictures.batch(turn, len(self.x)), size)
        if isinstance(self.model, OfPixels):
            self.model.see(pixels.to(self.device))
        else:
            self.x = normalise(pixels.to(self.device), self.preprocessor).to(self.x.dtype)

    def again(self) -> DetectorRun:
        """The same detector, to be measured a second time."""
        other = copy.copy(self)
        other._start_series()
        return other

    @torch.inference_mode()
    def __call__(self) -> int:
        """Number of boxes found."""
        size = tuple(self.x.shape[-2:])
        samples = samples_of(self.inside, size)
        return sum(len(found.pred_instances) for found in self.model.predict(self.x, samples))

    def turn(self) -> None:
        """Measure one call, on the next pictures where there are some."""
        turn, resized = len(self.totals), self.pictures is not None and self.pictures.resized
        if self.pictures and not resized:
            self._take(turn)
        with part_clocks(self.model, self.device) as spent:

            def call() -> None:
                if resized:
                    spent[RESIZING] = time_call(lambda: self._take(turn), self.device).wall_ms
                self.boxes.append(self())

            total = time_call(call, self.device, meter=energy_meter(self.device))
        self.totals.append(total)
        for part, ms in spent.items():
            self.spent[part].append(ms)
        self.spent[REST].append(total.wall_ms - sum(spent.values()))

    @property
    def detections(self) -> float:
        """Mean number of boxes of a call."""
        return sum(self.boxes) / len(self.boxes) if self.boxes else float(self())

    def row(self) -> DetectorRow:
        """What the turns so far add up to."""
        post = [self.spent[part] for part in POST_PROCESSING if part in self.spent]
        totals = [total.wall_ms for total in self.totals]
        without = [total - sum(ms) for total, *ms in zip(totals, *post, strict=True)]
        images, joules = len(self.x), mean_joules(self.totals)
        peak = None if self.form in OUTSIDE_TORCH else peak_memory(self, self.device)
        cpu = [total.cpu_ms for total in self.totals]
        return DetectorRow(
            self.config, self.options, self.weights, self.form,
            summarise('detector', totals, 1, images, peak, cpu, joules),
            summarise('without post-processing', without, 1, images) if post else None,
            tuple(summarise(part, ms, 1, images) for part, ms in self.spent.items() if any(ms)),
            self.detections,
        )  # fmt: skip


def prepare_detector(
    target: str,
    forms: Sequence[str],
    x: Tensor,
    options: Sequence[str] = (),
    pictures: Pictures | None = None,
) -> list[DetectorRun]:
    """A detector in those of the forms that exist for its backbone.

    Args:
        target: ``CONFIG``, ``CONFIG=CHECKPOINT``, or ``CONFIG+OPTION+OPTION``, with options of its
            own behind those of all.
        forms, x, options, pictures: As in :class:`DetectorRun`.
    """
    given, _, checkpoint = target.partition('=')
    config, *own = given.split('+')
    options = (*options, *own)
    backbone = load_config(config).get('model', {}).get('backbone', {})
    existing = forms_for(config, backbone, forms)
    return [
        DetectorRun(config, form, x, checkpoint or None, options, pictures) for form in existing
    ]


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

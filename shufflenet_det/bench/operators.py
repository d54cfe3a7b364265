"""Our operators against torchvision's, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torchvision.ops import nms
from torchvision.ops import ps_roi_align as torchvision_ps_roi_align

from shufflenet_det.deploy.fixed_nms import fixed_nms_mask
from shufflenet_det.detectors.ps_roi import ps_roi_align
from shufflenet_det.detectors.rpn_nms import nms_topk

from .timing import REPEAT, Run, Timing, measure

ROIS, MAP, BINS, STRIDE = 1000, (50, 76), 7, 16
"""RoIs and thin map of an 800x1216 image."""

BEFORE, KEPT, IOU = 6000, 1000, 0.7
"""Boxes before and after the RPN's suppression."""

SPREADS = {'as fresh anchors': 1.0, 'as a trained RPN gives them': 0.15}
"""How boxes stand for the suppression -> spread about 60 objects, in sizes of these."""


@dataclass(frozen=True)
class OperatorRow:
    """One operator on one kind of input.

    Args:
        operator, setting: What was measured.
        ours, theirs: Times of a call.
        again: The times of ours once more.
    """

    operator: str
    setting: str
    ours: Timing
    theirs: Timing
    again: Timing


def boxes_about(objects: int, count: int, spread: float, generator: torch.Generator) -> Tensor:
    """Boxes (count, 4) scattered about objects of 32 to 512 px in an image of 800x1216."""
    size = 32 * 16 ** torch.rand(objects, 2, generator=generator)
    centre = torch.rand(objects, 2, generator=generator) * torch.tensor([1216.0, 800.0])
    member = torch.randint(objects, (count,), generator=generator)
    jitter = torch.randn(2, count, 2, generator=generator) * spread
    half = size[member] * torch.exp(0.5 * jitter[0]) / 2
    middle = centre[member] + jitter[1] * size[member]
    limit = torch.tensor([1216.0, 800.0, 1216.0, 800.0])
    return torch.cat((middle - half, middle + half), 1).clamp(min=0).minimum(limit)


def _pooling(device: str, generator: torch.Generator) -> Iterator[tuple[str, str, Run, Run]]:
    thin_map = torch.randn(1, 10 * BINS**2, *MAP, generator=generator).to(device)
    boxes = boxes_about(60, ROIS, 0.5, generator)
    rois = torch.cat((torch.zeros(ROIS, 1), boxes), 1).to(device)
    setting = f'{ROIS} RoIs, {MAP[0]}x{MAP[1]}'
    of_deploy_form = thin_map.to(memory_format=torch.channels_last)

    def forward(op: Callable, given: Tensor = thin_map) -> Run:
        return lambda: op(given, rois, BINS, 1 / STRIDE, 2)

    def both(op: Callable) -> Run:
        leaf = thin_map.clone().requires_grad_()

        def run() -> None:
            leaf.grad = None
            with torch.inference_mode(False), torch.enable_grad():
                op(leaf, rois, BINS, 1 / STRIDE, 2).sum().backward()

        return run

    for name, layout, make in (
        ('forward', '', forward),
        ('forward', ', channels-last', partial(forward, given=of_deploy_form)),
        ('forward + backward', '', both),
    ):
        ours, theirs = make(ps_roi_align), make(torchvision_ps_roi_align)
        yield f'PSRoIAlign {name}', setting + layout, ours, theirs


def _suppression(device: str, generator: torch.Generator) -> Iterator[tuple[str, str, Run, Run]]:
    for name, spread in SPREADS.items():
        boxes = boxes_about(60, BEFORE, spread, generator).to(device)
        scores = torch.rand(BEFORE, generator=generator).to(device)
        yield (
            f'NMS, {BEFORE} boxes, {KEPT} kept at most', name,
            lambda b=boxes, s=scores: nms_topk(b, s, IOU, KEPT),
            lambda b=boxes, s=scores: nms(b, s, IOU)[:KEPT],
        )  # fmt: skip
        if boxes.is_cuda:  # elsewhere it is for tests
            yield (
                f'NMS of a CUDA graph, {BEFORE} boxes, {KEPT} kept at most', name,
                lambda b=boxes, s=scores: fixed_nms_mask(b[None], s[None], KEPT, IOU, 0.0),
                lambda b=boxes, s=scores: nms(b, s, IOU)[:KEPT],
            )  # fmt: skip


def run_operators(
    device: str = 'cpu', turns: int = 20, seconds: float | None = None
) -> list[OperatorRow]:
    """Measure each operator and torchvision's in turns.

    Args:
        device, turns, seconds: As in :func:`~shufflenet_det.bench.timing.measure`.
    """
    generator = torch.Generator().manual_seed(0)
    rows = []
    for source in (_pooling, _suppression):
        for operator, setting, ours, theirs in source(device, generator):
            runs = {'ours': ours, 'torchvision': theirs, REPEAT: ours}
            rows.append(OperatorRow(operator, setting, *measure(runs, device, turns, seconds)))
    return rows

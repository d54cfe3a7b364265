"""Whether a whole detector as one CUDA graph finds what the eager detector finds."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import box_iou

from shufflenet_det.deploy.cuda_graph import CudaGraph
from shufflenet_det.deploy.fixed_detector import fixed_detector

from ..detector_forms import build_detector
from ..untrained import detect, spread_outputs


@dataclass(frozen=True)
class Tolerance:
    """What still is the same detection.

    Args:
        iou, score: Least overlap and largest difference of the scores.
        share: Of the eager detections that have to be found again.
    """

    iou: float
    score: float
    share: float


TOLERANCES = dict(float32=Tolerance(0.99, 1e-3, 0.98), float16=Tolerance(0.8, 0.1, 0.8))
"""Half precision in the layers moves scores by a percent, and with them what suppresses what."""


@dataclass(frozen=True)
class AgreementRow:
    """A detector and its graph on several batches, one after the other.

    Args:
        config, dtype, batch: Of the graph; the eager detector is in single precision.
        detections: Of the eager detector on all batches.
        found_again: Share of them that the graph gives.
        pixels, score: Largest differences of those.
        agrees: Whether this is within :data:`TOLERANCES`.
    """

    config: str
    dtype: str
    batch: int
    detections: int
    found_again: float
    pixels: float
    score: float
    agrees: bool


def generated_images(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Blobs of several sizes and colours, (count, 3, H, W) uint8."""
    generator = torch.Generator().manual_seed(seed)
    layers = [
        F.interpolate(torch.rand(count, 3, *sides, generator=generator), size)
        for sides in ((4, 6), (12, 16), (40, 60))
    ]
    return (255 * torch.stack(layers).mean(0)).byte()


@torch.no_grad()
def agreement(
    config: str | Path, batch: int, dtype: str, size: tuple[int, int], device: str = 'cuda'
) -> AgreementRow:
    """Compare both on two batches, and on the first again, which a graph has to follow."""
    before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    try:
        return _compare(config, batch, dtype, size, device)
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _compare(
    config: str | Path, batch: int, dtype: str, size: tuple[int, int], device: str
) -> AgreementRow:
    first, second = (generated_images(batch, size, seed).to(device) for seed in (0, 1))
    model = build_detector(config)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model.roi_head.bbox_head.fc_cls.reset_parameters()  # which gave background only
    model.to(device)
    spread_outputs(model, first)
    graph = fixed_detector(deepcopy(model), dtype == 'float16').to(device)
    run = CudaGraph(graph) if first.is_cuda else graph
    pairs = []
    for images in (first, second, first):
        results = [part.clone() for part in run(images)]
        for eager, *found in zip(detect(model, images), *results, strict=True):
            pairs.append(_same(eager, *found, TOLERANCES[dtype]))
    total, again = (sum(pair[i] for pair in pairs) for i in (0, 1))
    share, tolerance = again / max(total, 1), TOLERANCES[dtype]
    return AgreementRow(
        Path(config).stem, dtype, batch, total, share, max(pair[2] for pair in pairs),
        max(pair[3] for pair in pairs), total > 0 and share >= tolerance.share,
    )  # fmt: skip


def _same(
    eager: InstanceData, boxes: Tensor, scores: Tensor, labels: Tensor, tolerance: Tolerance
) -> tuple[int, int, float, float]:
    """Eager detections, those found again, and their largest differences in pixels and score."""
    same = box_iou(eager.bboxes, boxes) * (eager.labels[:, None] == labels)
    near = (eager.scores[:, None] - scores).abs() <= tolerance.score
    overlap, place = (same * near).max(1)
    again = overlap >= tolerance.iou
    if not again.any():
        return len(again), 0, 0.0, 0.0
    pixels = (eager.bboxes - boxes[place])[again].abs().max().item()
    score = (eager.scores - scores[place])[again].abs().max().item()
    return len(again), int(again.sum()), pixels, score

"""Detectors around a candidate: the whole, and what stands behind its backbone by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from torch import Tensor, nn

from shufflenet_det.bench.detector_forms import (
    DETECTOR_FORMS,
    OnnxDetector,
    export_graph,
    fill_fresh,
)  # fmt: skip
from shufflenet_det.bench.detector_latency import samples_of
from shufflenet_det.deploy.shuffle_free import ShuffleFreeBackbone
from shufflenet_det.training.launch import load_config

from .candidates import Candidate, Part
from .parts import Run

HEADS = {
    'light-head': 'shufflenet_det::lighthead_snv2.py',
    'fpn': 'shufflenet_det::lighthead_fpn_snv2.py',
    'one-stage': 'shufflenet_det::nanodet/nanodet_m_320.py',
}
"""Name of a head -> the config whose backbone is exchanged."""

DETECTOR_FORM = {'onnxruntime': 'deploy-onnxruntime', 'eager': 'eager', 'deploy': 'deploy'}
"""Form of a budget -> form of the whole detector; ONNX Runtime gets the one without shuffles."""

HEAD_DEPTH = (1, 1, 1)
"""Units of the backbone that a head is cut off from: it sees widths and sizes only."""


def check_head(head: str | None) -> None:
    """Raise ValueError where a head is unknown."""
    if head is not None and head not in HEADS:
        raise ValueError(f'head {head!r} is not known here; allowed: {list(HEADS)}')


def head_part(candidate: Candidate, head: str) -> Part:
    """What stands behind a backbone, which all candidates of its width and size share."""
    (_, _), (c4, _), (c5, _) = candidate.arch.stages
    return Part('head', c4, c5, candidate.size, head)


class StandIn(nn.Module):
    """Maps (N, 3, H, W) to levels (N, C, H / stride, W / stride) without computing them.

    Args:
        channels, strides: Of the levels.
    """

    def __init__(self, channels: tuple[int, ...], strides: tuple[int, ...]) -> None:
        super().__init__()
        self.out_channels, self.out_strides = channels, strides
        self.weight = nn.Parameter(torch.ones(1), requires_grad=False)  # says the type

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        grey = x[:, :1] * self.weight
        levels = zip(self.out_channels, self.out_strides, strict=True)
        return tuple(grey[:, :, ::s, ::s].expand(-1, c, -1, -1) for c, s in levels)


def _stand_in(owner: nn.Module) -> None:
    """Put a :class:`StandIn` in the place of a module's backbone."""
    backbone = owner.backbone
    channels = tuple(backbone.out_channels)
    if isinstance(backbone, ShuffleFreeBackbone):
        channels = tuple(map(len, backbone.level_orders))  # with what pads its pieces
    owner.backbone = StandIn(channels, tuple(backbone.out_strides)).eval()


def detector(candidate: Candidate, head: str) -> nn.Module:
    """The detector of a head around a candidate, in eval mode with fresh weights."""
    register_all_modules()
    cfg = load_config(HEADS[head]).model
    cfg.backbone.arch, cfg.backbone.init_cfg = _row(candidate), None
    model = MODELS.build(cfg)
    fill_fresh(model)
    return model.eval().requires_grad_(False)


def _row(candidate: Candidate) -> dict:
    return {name: value for name, value in vars(candidate.arch).items() if value is not None}


@dataclass(frozen=True)
class DetectorCall:
    """One call of a detector, from the normalised image to the boxes.

    Args:
        model: Predicts.
        x: Normalised images (N, 3, H, W).
    """

    model: nn.Module | OnnxDetector
    x: Tensor

    @torch.inference_mode()
    def __call__(self) -> list:
        size = tuple(self.x.shape[-2:])
        return self.model.predict(self.x, samples_of([size] * len(self.x), size))


@torch.no_grad()
def detector_run(candidate: Candidate, head: str, form: str, like: Tensor) -> Run:
    """A whole detector as a callable that has run once.

    Args:
        candidate: Its backbone.
        head: A key of :data:`HEADS`.
        form: A key of :data:`DETECTOR_FORM`.
        like: (N, 3, H, W), for batch, device and type.
    """
    return _ready(detector(candidate, head).to(like), form, _images(candidate, like))


@torch.no_grad()
def head_run(candidate: Candidate, head: str, form: str, like: Tensor) -> Run:
    """As :func:`detector_run`, without the backbone."""
    model = detector(replace(candidate, depth=HEAD_DEPTH, variant='plain'), head).to(like)
    x = _images(candidate, like)
    if form == 'onnxruntime':
        graph = export_graph(model)
        _stand_in(graph)
        return _called(DetectorCall(OnnxDetector(graph, x), x))
    model = DETECTOR_FORMS[DETECTOR_FORM[form]](model, x)
    _stand_in(model)
    return _called(DetectorCall(model, x))


def _images(candidate: Candidate, like: Tensor) -> Tensor:
    return torch.randn(len(like), 3, *candidate.size).to(like)


def _ready(model: nn.Module, form: str, x: Tensor) -> Run:
    return _called(DetectorCall(DETECTOR_FORMS[DETECTOR_FORM[form]](model, x), x))


def _called(call: DetectorCall) -> Run:
    call()
    return call

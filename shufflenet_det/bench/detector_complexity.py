"""Complexity of whole MMDetection detectors, part by part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmcv.ops import RoIAlign
from mmdet.utils import register_all_modules
from torch import nn

from shufflenet_det.deploy.detector import build_model
from shufflenet_det.detectors import PSRoIAlign
from shufflenet_det.training.launch import load_config

from .complexity import Complexity, Layer, count, meta_image
from .complexity_ops import Cost, roi_align_cost

RUNNING = ('backbone', 'neck', 'rpn_head', 'roi_head', 'bbox_head')
TRAINING = ('aux_neck', 'aux_head')
"""Parts of NanoDet-Plus that guide its training and do not run afterwards."""


@dataclass(frozen=True)
class DetectorComplexity:
    """A detector in parts: backbone, neck, RPN, thin map, head, RoI head.

    Args:
        parts: In the order in which they run; the RoI head is that of all RoIs.
        rois: RoIs of an image; 0 for a detector without them.
        per_roi: Pooling and head of one more RoI, in macs.
    """

    parts: tuple[Complexity, ...]
    rois: int = 0
    per_roi: int = 0

    @property
    def total(self) -> Cost:
        """Cost of all parts."""
        return sum((part.total for part in self.parts), Cost())


def detector_on_meta(config: str | Path) -> nn.Module:
    """The detector of a config on the meta device, in eval mode."""
    register_all_modules()
    detector = build_model(load_config(config), config)  # some read numbers while they are built
    return detector.eval().to('meta')


def detector_complexity(
    detector: nn.Module, size: Sequence[int], rois: int | None = None
) -> DetectorComplexity:
    """Complexity of an MMDetection detector for one image, without post-processing.

    Args:
        detector: From :func:`detector_on_meta`.
        size: (H, W) of the image as the network sees it.
        rois: RoIs of an image; the test config's max_per_img unless given.

    Raises:
        UnknownOpError: If it runs an op whose cost is not known.
        ValueError: If it has parts that are not known, or cannot take the size.
    """
    _check_parts(detector, (*RUNNING, *TRAINING))
    parts = []

    def run(name: str, module: nn.Module, forward: Callable[[], object]) -> object:
        counted, out = count(name, module, forward)
        parts.append(counted)
        return out

    with torch.device('meta'):
        image = meta_image(size)
        features = run('backbone', detector.backbone, lambda: detector.backbone(image))
        if getattr(detector, 'neck', None) is not None:
            features = run('neck', detector.neck, lambda: detector.neck(features))
        roi_head = getattr(detector, 'roi_head', None)
        if roi_head is None:
            head = _part(detector, 'bbox_head')
            run('head', head, lambda: head(features))
            return DetectorComplexity(tuple(parts))
        run('RPN', detector.rpn_head, lambda: detector.rpn_head(features))
        thin_map = getattr(roi_head, 'thin_map', None)
        if thin_map is not None:
            run('thin map', thin_map, lambda: roi_head.thin_maps(features))
        number = detector.test_cfg.rpn.max_per_img if rois is None else rois
        parts.append(_roi_head(roi_head, number))
        one = _roi_head(roi_head, 1).total.macs
    return DetectorComplexity(tuple(parts), number, one)


def model_complexity(
    model: nn.Module, size: Sequence[int], rois: int | None = None
) -> DetectorComplexity:
    """As :func:`detector_complexity`, also of a backbone, which is one part."""
    if hasattr(model, 'backbone'):
        return detector_complexity(model, size, rois)
    with torch.device('meta'):
        counted, _ = count('backbone', model, lambda: model(meta_image(size)))
    return DetectorComplexity((counted,))


def _check_parts(owner: nn.Module, known: tuple[str, ...]) -> None:
    unknown = [
        name
        for name, part in owner.named_children()
        if name not in known and next(part.parameters(), None) is not None
    ]
    if unknown:
        raise ValueError(
            f'{type(owner).__name__} has the parts {unknown}, which are not counted; allowed: '
            f'{list(known)}'
        )


def _roi_head(roi_head: nn.Module, rois: int) -> Complexity:
    _check_parts(roi_head, ('thin_map', 'bbox_roi_extractor', 'bbox_head'))
    extractor, head = _part(roi_head, 'bbox_roi_extractor'), _part(roi_head, 'bbox_head')
    layer = extractor.roi_layers[0]
    if not isinstance(layer, (PSRoIAlign, RoIAlign)):
        raise ValueError(
            f'the cost of the RoI layer {type(layer).__name__} is not known; allowed: PSRoIAlign '
            'and RoIAlign'
        )
    height, width = layer.output_size
    pooling = roi_align_cost(rois, extractor.out_channels, height * width, layer.sampling_ratio)
    pooled = torch.zeros(rois, extractor.out_channels, height, width)
    counted, _ = count('RoI head', head, lambda: head(pooled))
    pool = Layer('pooling', type(layer).__name__, pooling)
    return Complexity('RoI head', (pool, *counted.layers))


def _part(owner: nn.Module, name: str) -> nn.Module:
    part = getattr(owner, name, None)
    if part is None or isinstance(part, nn.ModuleList):
        found = 'none' if part is None else f'{len(part)} in a row'
        raise ValueError(
            f'{type(owner).__name__} has {found} of {name}; detectors with one head, or with an '
            'RPN and one RoI head, can be counted'
        )
    return part

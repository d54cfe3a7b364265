"""A detector cut where proposals are selected: graphs of convs and matrix products only."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor, nn

from shufflenet_det.detectors import LightHeadRCNN

from ..dense_graph import Candidates
from ..detector_graph import ClassNMS, PyramidRoIAlign
from ..graph_parts import BoxDecoder, Proposals, require
from ..model_info import ModelInfo


@dataclass(frozen=True)
class Parts:
    """The graphs of a detector, and what stands between them.

    Args:
        trunk: Normalised images (1, 3, H, W), BGR, to maps (1, C, H', W').
        head: Pooled RoIs (R, C, bins, bins) to logits and deltas; None where there is none.
        image: An example of the trunk's input.
        rois: Of the head's.
        spec: What ``selection.SplitDetector`` needs.
        info: What the file says of itself.
    """

    trunk: nn.Module
    head: nn.Module | None
    image: Tensor
    rois: Tensor | None
    spec: dict
    info: ModelInfo


def part_shared(module: nn.Module, seen: set[int] | None = None) -> None:
    """Give each place its own copy of a module that stands in several, as RTMDet's convs do.

    Runtimes fold the BN behind a conv into its weights, and each place has its own BN.
    """
    seen = set() if seen is None else seen
    for name, child in module._modules.items():  # named_children leaves out what it gave before
        if child is None:
            continue
        if id(child) in seen:
            child = copy.deepcopy(child)
            setattr(module, name, child)
        seen.add(id(child))
        part_shared(child, seen)


class Trunk(nn.Module):
    """All in front of the selection; the exchange of B and R is part of the stem's weights."""

    def __init__(self, model: nn.Module, outputs: Callable) -> None:
        super().__init__()
        self.backbone, self.outputs = model.backbone, outputs
        self.neck = getattr(model, 'neck', None)
        stem = next(m for m in self.backbone.modules() if isinstance(m, nn.Conv2d))
        if model.data_preprocessor._channel_conversion:
            stem.weight = nn.Parameter(stem.weight.flip(1), requires_grad=False)
        for module in self.modules():
            if hasattr(module, 'upsample_cfg') and 'scale_factor' not in module.upsample_cfg:
                module.upsample_cfg = dict(mode='nearest', scale_factor=2)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        levels = self.backbone(images)
        return self.outputs(levels if self.neck is None else self.neck(levels))


class _LightHeadMaps(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.rpn_head, self.thin_map = model.rpn_head, model.roi_head.thin_map
        self.in_indices = model.roi_head.in_indices

    def forward(self, levels: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        logits, deltas = self.rpn_head(levels)
        return (*logits, *deltas, *(self.thin_map(levels[i]) for i in self.in_indices))


class _DenseMaps(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.bbox_head = model.bbox_head

    def forward(self, levels: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        logits, bins = self.bbox_head(levels)
        return (*logits, *bins)


def split(model: nn.Module, info: ModelInfo) -> Parts:
    """The parts of a detector in its deploy or its classic form, which they take over.

    Args:
        model: A LightHeadRCNN or a one-stage detector, see ``dense_graph.HEADS``.
        info: What the file says of itself.

    Raises:
        ValueError: If the detector is another one, or has a part that is not known.
    """
    known = isinstance(model, LightHeadRCNN | SingleStageDetector)
    require(known, 'model', 'LightHeadRCNN and one-stage detectors', type(model).__name__)
    divisor = info.normalisation['pad_size_divisor']
    require(divisor % 32 == 0, 'pad_size_divisor', 'a multiple of 32', divisor)
    require(float(model.data_preprocessor.pad_value) == 0, 'pad_value', 0,
            model.data_preprocessor.pad_value)  # fmt: skip
    if isinstance(model, SingleStageDetector):
        spec, maps, head, rois = _dense_spec(model), _DenseMaps(model), None, None
    else:
        spec, maps, head = _two_stage_spec(model), _LightHeadMaps(model), model.roi_head.bbox_head
        bins = spec['roi']['bins']
        rois = torch.zeros(spec['rpn']['max'], head.in_channels, bins, bins)
    trunk = Trunk(model, maps).eval().to(memory_format=torch.contiguous_format)
    part_shared(trunk)
    return Parts(trunk, head, torch.zeros(1, 3, 256, 320), rois, spec, info)


def largest_image(info: ModelInfo) -> list[int]:
    """Height and width that hold every image that the test pipeline gives.

    Raises:
        ValueError: If it does not resize.
    """
    require(info.resize is not None, 'test pipeline', 'a Resize', None)
    width, height = info.resize.scale
    if info.resize.keep_ratio:
        width = height = max(width, height)
    divisor = info.normalisation['pad_size_divisor']
    return [-(-side // divisor) * divisor for side in (height, width)]


def _box(cfg: Mapping, name: str) -> dict:
    checked = ClassNMS(cfg, name)
    return dict(score=checked.score_threshold, iou=checked.iou_threshold, max=checked.max_num)


def _coder(coder: object) -> dict:
    checked = BoxDecoder(coder)
    return dict(mean=checked.mean.tolist(), std=checked.std.tolist())


def _two_stage_spec(model: nn.Module) -> dict:
    rpn, roi = Proposals(model.rpn_head), model.roi_head
    points, extractor = model.rpn_head.prior_generator, roi.bbox_roi_extractor
    layers = PyramidRoIAlign(extractor).layers
    bins, _, samples, mode = layers[0].args
    return dict(
        rpn=dict(
            anchors=[level.tolist() for level in points.base_anchors],
            strides=[list(map(float, stride)) for stride in points.strides], pre=rpn.pre,
            max=rpn.max_num, iou=rpn.iou_threshold, min_size=rpn.min_size,
            **_coder(model.rpn_head.bbox_coder),
        ),
        roi=dict(
            bins=bins, samples=samples, mode=mode, finest=extractor.finest_scale,
            scales=[layer.args[1] for layer in layers],
        ),
        box=_box(roi.test_cfg, 'test_cfg.rcnn') | _coder(roi.bbox_head.bbox_coder),
    )  # fmt: skip


def _dense_spec(model: nn.Module) -> dict:
    checked = Candidates(model.bbox_head)
    anchors = [getattr(checked, f'anchors{i}').tolist() for i in range(len(checked.strides))]
    dense = dict(
        boxes=checked.boxes.name, pre=checked.pre, min_size=checked.min_size, anchors=anchors,
        strides=[list(stride) for stride in checked.strides], **checked.boxes.spec(),
    )  # fmt: skip
    return dict(dense=dense, box=_box(model.bbox_head.test_cfg, 'test_cfg'))

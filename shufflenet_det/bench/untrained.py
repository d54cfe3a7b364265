"""Detectors with fresh weights that detect something, so that forms can be compared."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

SPREADS = {
    'rpn_head.rpn_conv': 1.0,
    'rpn_head.rpn_cls': 2.0,
    'rpn_head.rpn_reg': 0.3,
    'roi_head.bbox_head.shared_fcs.0': 1.0,
    'roi_head.bbox_head.fc_cls': 2.0,
    'roi_head.bbox_head.fc_reg': 1.0,
}
"""Layer of a Light-Head R-CNN -> spread of its outputs, as if trained."""


@torch.no_grad()
def vary_norms(model: nn.Module) -> None:
    """Give BN scales and shifts that are not the identity, as if trained."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)


@torch.no_grad()
def spread_outputs(model: nn.Module, images: Tensor, spreads: Mapping[str, float] = SPREADS):
    """Scale the weights of layers, in order, to outputs of these spreads: else all scores tie.

    Args:
        model: A detector of MMDetection.
        images: (N, 3, H, W) uint8, BGR.
        spreads: Name of the layer -> standard deviation of its outputs.
    """
    for name, spread in spreads.items():
        layer, measured = model.get_submodule(name), []
        hook = layer.register_forward_hook(lambda _m, _i, out, to=measured: to.append(out.std()))
        detect(model, images)
        hook.remove()
        layer.weight.mul_(spread / measured[0])


@torch.no_grad()
def detect(model: nn.Module, images: Tensor) -> list[InstanceData]:
    """Detections of a detector of MMDetection on images (N, 3, H, W) uint8 as they are."""
    size = tuple(images.shape[2:])
    info = dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
    samples = [DetDataSample(metainfo=info) for _ in images]
    found = model.test_step(dict(inputs=list(images), data_samples=samples))
    return [sample.pred_instances for sample in found]

"""The trained detectors of the test data, and small random ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.structures import InstanceData
from paths import ROOT
from torch import Tensor, nn

from shufflenet_det.checkpoints.published import PUBLISHED
from shufflenet_det.training.launch import load_config

ARCH = dict(stem=[(8, 2)], stages=[(16, 2), (32, 2), (64, 2)], last_conv=64)
CONFIGS = ('nanodet_m_320', 'nanodet_plus_m_320')
TRAINED = {'nanodet-m': 'm_320', 'nanodet-plus-m-320': 'plus_m_320',
           'nanodet-plus-m-416': 'plus_m_416'}  # fmt: skip
"""Published name -> folder below nanodet/ of the test data."""


@dataclass(frozen=True)
class Trained:
    """A trained detector: its config, its file, and what its origin says about it."""

    config: Path
    checkpoint: Path
    facts: dict


def trained(test_data: Path, name: str) -> Trained:
    folder = test_data / 'nanodet' / TRAINED[name]
    facts = json.loads((folder / 'reference.json').read_text())
    return Trained(ROOT / 'configs' / PUBLISHED[name].config, folder / facts['file'], facts)


def small_config(name: str, classes: int = 3) -> Config:
    register_all_modules()
    cfg = load_config(ROOT / f'configs/nanodet/{name}.py')
    cfg.model.backbone.update(arch=ARCH, init_cfg=None)
    cfg.model.bbox_head.num_classes = classes
    if 'aux_head' in cfg.model:
        cfg.model.aux_head.stacked_convs = 1
    return cfg


def small(name: str, classes: int = 3) -> nn.Module:
    model = MODELS.build(small_config(name, classes).model)
    model.init_weights()
    return model


def samples(boxes: list[list], labels: list[list], size: tuple[int, int]) -> list[DetDataSample]:
    """Annotations of images of one size."""
    info = dict(img_shape=size, pad_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
    return [
        DetDataSample(
            metainfo=info,
            gt_instances=InstanceData(
                bboxes=torch.tensor(b, dtype=torch.float32).view(-1, 4),
                labels=torch.tensor(k, dtype=torch.long),
            ),
            ignored_instances=InstanceData(
                bboxes=torch.empty(0, 4), labels=torch.empty(0, dtype=torch.long)
            ),
        )
        for b, k in zip(boxes, labels, strict=True)
    ]


def squares() -> tuple[Tensor, list[DetDataSample]]:
    """Two images (2, 3, 128, 128) of bright squares on noise; label = colour channel."""
    images = 0.1 * torch.randn(2, 3, 128, 128)
    boxes = [[[8, 8, 56, 56], [70, 20, 120, 80]], [[30, 60, 110, 124]]]
    labels = [[0, 1], [2]]
    for image, around, channels in zip(images, boxes, labels, strict=True):
        for (x1, y1, x2, y2), channel in zip(around, channels, strict=True):
            image[channel, y1:y2, x1:x2] += 2
    return images, samples(boxes, labels, (128, 128))


@torch.no_grad()
def waves(model: nn.Module) -> nn.Module:
    """Every conv's weights as a wave, so that another program can have the same."""
    convs = sorted((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d))
    for number, (_, conv) in enumerate(convs):
        weight = conv.weight
        wave = torch.sin(0.37 * torch.arange(weight.numel(), dtype=torch.float64) + number)
        weight.copy_((wave * (3 / weight[0].numel()) ** 0.5).view_as(weight))
        if conv.bias is not None:
            conv.bias.zero_()
    return model


def total(losses: dict) -> Tensor:
    return sum(sum(v) if isinstance(v, list) else v for v in losses.values())


@contextmanager
def epoch(number: int) -> Iterator[None]:
    """As if a Runner were in this epoch."""
    hub = MessageHub.get_current_instance()
    before = hub.get_info('epoch', 0)
    hub.update_info('epoch', number)
    try:
        yield
    finally:
        hub.update_info('epoch', before)

"""ExecuTorch, delegated to XNNPACK."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from torch import Tensor, nn
from torch.export import Dim

from ..archive import Archive
from ..request import Request
from .split import Parts, largest_image

DIVISOR = 32
"""Of the sides of a trunk's input."""


def write(parts: Parts, request: Request) -> bytes:
    """An archive with trunk and head, each a .pte; memory is planned for the largest image.

    Raises:
        ValueError: If the test pipeline does not resize.
    """
    largest = largest_image(parts.info)
    sizes = {
        axis: DIVISOR * Dim(name, min=1, max=max(2, side // DIVISOR))
        for axis, name, side in zip((2, 3), ('rows', 'columns'), largest, strict=True)
    }
    own = (min(sides) for sides in zip(parts.image.shape[2:], largest, strict=True))
    files = {'trunk.pte': _lowered(parts.trunk, torch.zeros(1, 3, *own), sizes)}
    if parts.head is not None:
        rois = {0: Dim('rois', min=1, max=len(parts.rois))}
        files['head.pte'] = _lowered(parts.head, parts.rois, rois)
    spec = parts.spec | dict(largest=largest)
    return Archive('executorch', json.dumps(asdict(parts.info)), files, spec).to_bytes()


def _lowered(module: nn.Module, example: Tensor, sizes: Mapping[int, Dim]) -> bytes:
    with torch.no_grad():
        program = torch.export.export(module.eval(), (example,), dynamic_shapes=(sizes,))
    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return edge.to_executorch().buffer

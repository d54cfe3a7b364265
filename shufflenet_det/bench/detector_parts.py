"""The parts of a detector of MMDetection, and clocks around them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import nn

from .detector_forms import submodule
from .timing import synchronize

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

TRAINING_PARTS = {
    'backbone': ('backbone', 'forward'),
    'neck': ('neck', 'forward'),
    'RPN with targets, loss and proposals': ('rpn_head', 'loss_and_predict'),
    'RoI head with sampling and loss': ('roi_head', 'loss'),
    'dense head with targets and loss': ('bbox_head', 'loss'),
}
"""Part of a training step -> (module, method) that does it; their gradients are apart."""

POST_PROCESSING = ('RoI post-processing', 'post-processing')

REST = 'rest'
"""Time of a detector that is in no part: Python, data samples, reshaping between parts."""

RESIZING = 'resizing'
"""From the picture to the normalised image, where that is part of the time."""


@contextmanager
def part_clocks(
    model: nn.Module, device: str, parts: Mapping[str, tuple[str, str]] = PARTS
) -> Iterator[dict[str, float]]:
    """Part -> ms spent in it while the context lasts, of the parts that the model has."""
    spent: dict[str, float] = {}
    timed = []
    for part, (path, method) in parts.items():
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

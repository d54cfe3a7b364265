"""Boxes and RoIs in numpy equal torchvision's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import nms as torchvision_nms

from shufflenet_det.deploy.numpy_ops import nms, ps_roi_align, sigmoid, softmax, top
from shufflenet_det.detectors.ps_roi import ps_roi_align_as_roi_align

RANDOM = np.random.default_rng(0)


def random_boxes(count: int, side: float) -> np.ndarray:
    corners = RANDOM.uniform(-0.1 * side, side, (count, 2, 2)).astype(np.float32)
    return np.concatenate((corners.min(1), corners.max(1)), 1)


@pytest.mark.parametrize('count, most', [(0, 5), (1, 5), (300, 20), (300, 300)])
def test_nms_keeps_what_torchvisions_keeps(count, most):
    boxes, scores = random_boxes(count, 60), RANDOM.uniform(size=count).astype(np.float32)
    expected = torchvision_nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.5)[:most]
    np.testing.assert_array_equal(nms(boxes, scores, 0.5, most), expected.numpy())


def test_equal_scores_stay_in_order():
    np.testing.assert_array_equal(top(np.float32([1, 2, 1, 2]), 3), [1, 3, 0])


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('samples', [1, 2])
@pytest.mark.parametrize('bins', [1, 3, 7])
def test_pooling_equals_the_layers(mode, samples, bins):
    level = RANDOM.normal(size=(2 * bins**2, 9, 13)).astype(np.float32)
    boxes = random_boxes(40, 120)
    rois = torch.from_numpy(np.pad(boxes, ((0, 0), (1, 0))))
    args = bins, 1 / 8, samples, mode
    expected = ps_roi_align_as_roi_align(torch.from_numpy(level)[None], rois, *args)
    np.testing.assert_allclose(ps_roi_align(level, boxes, *args), expected.numpy(), atol=1e-4)


def test_no_overflow_in_scores():
    logits = np.float32([[-1000, 0, 1000]])
    np.testing.assert_array_equal(softmax(logits), [[0, 0, 1]])
    np.testing.assert_allclose(sigmoid(logits), [[0, 0.5, 1]], atol=1e-30)

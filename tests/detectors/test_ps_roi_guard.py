"""What the guards in front of RoI kernels let through, and what they change."""

import math

import pytest
import torch
from test_ps_roi import HOSTILE, make_rois

from shufflenet_det.detectors.roi_guard import ROI_LIMIT, guard_on_device, sanitize_rois


def test_guard_returns_rois_inside_its_frame_bit_for_bit():
    rois = torch.cat((make_rois(40) * 1000, torch.tensor([[1, -ROI_LIMIT, 0, ROI_LIMIT, -5]])))
    assert torch.equal(sanitize_rois(rois), rois)


def test_guard_of_a_device_returns_rois_inside_its_frame_bit_for_bit():
    rois = make_rois(40) * torch.tensor([1, 9, 9, 9, 9])
    assert torch.equal(guard_on_device(rois, 2), rois)


@pytest.mark.parametrize('index', [2.0, -1.0, math.nan, math.inf])
def test_guard_of_a_device_makes_a_roi_of_no_image_no_number(index):
    rois = make_rois(3)
    rois[1, 0] = index
    guarded = guard_on_device(rois, 2)
    assert guarded[1].isnan().all()
    assert torch.equal(guarded[[0, 2]], rois[[0, 2]])


@pytest.mark.parametrize('box', HOSTILE.values(), ids=HOSTILE)
def test_guard_of_a_device_holds_every_roi_or_leaves_it_no_number(box):
    guarded = guard_on_device(torch.tensor([[0, *box]]), 1)
    assert (guarded.isnan() | (guarded.abs() <= ROI_LIMIT)).all()

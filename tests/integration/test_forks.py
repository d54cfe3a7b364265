"""Forks of MMDetection are installed under another name than they are imported by."""

from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import mmdet
import pytest
import torch
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask

from shufflenet_det.integration.mmdet_fixes import let_ssd_predict


class Head:
    """As mmdet 3.3.0's SSD head."""

    def __init__(self) -> None:
        self.num_classes = 1


@pytest.mark.parametrize('version, mended', [('3.3.0', True), ('3.5.1', False)])
def test_ssd_is_mended_by_the_version_of_the_module(version, mended, monkeypatch):
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr('importlib.metadata.version', absent)
    monkeypatch.setattr(mmdet, '__version__', version)
    module = SimpleNamespace(SSDHead=type('SSDHead', (Head,), {}))
    let_ssd_predict(module)
    assert hasattr(module.SSDHead(), 'loss_cls') == mended


@pytest.mark.parametrize('box', [(-60, 2, -50, 9), (2, 70, 9, 80), (-9, -9, -1, -1)])
def test_mask_of_a_box_outside_the_image_is_empty(box):
    pasted, place = _do_paste_mask(torch.ones(1, 1, 28, 28), torch.tensor([box]) * 1.0, 32, 40)
    canvas = torch.zeros(1, 32, 40)
    canvas[(slice(None), *place)] = pasted
    assert not canvas.any()


def test_mask_of_a_box_inside_the_image_stays():
    box = torch.tensor([[4.0, 8.0, 12.0, 20.0]])
    pasted, (rows, columns) = _do_paste_mask(torch.ones(1, 1, 28, 28), box, 32, 40)
    assert (rows, columns) == (slice(7, 21), slice(3, 13)) and pasted.shape == (1, 14, 10)

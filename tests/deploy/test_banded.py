"""The fast paths of the inference form give the values of plain layers."""

import pytest
import torch
from torch import nn

from shufflenet_det.bench.memory import peak_memory
from shufflenet_det.deploy import banded
from shufflenet_det.deploy.banded import BandedPool


def make(stride: int = 2) -> BandedPool:
    return BandedPool(nn.Conv2d(3, 8, 3, stride, 1), nn.MaxPool2d(3, 2, 1), nn.ReLU()).eval()


def plain(stem: BandedPool, x: torch.Tensor) -> torch.Tensor:
    return nn.Sequential(*stem)(x)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('height', range(32, 41))
@torch.no_grad()
def test_stem_in_bands_is_equal(height, stride, monkeypatch):
    stem = make(stride)
    for width in (32, 35, 37, 38):
        x = torch.randn(2, 3, height, width)
        for rows in (1, 2, 5, 11):
            row_bytes = 2 * 8 * -(-width // stride) * 2 * 4
            monkeypatch.setattr(banded, 'BAND_BYTES', rows * row_bytes)
            torch.testing.assert_close(stem(x), plain(stem, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('place', [(0, 0), (17, 9), (39, 39)])
@torch.no_grad()
def test_what_is_not_a_number_stays_so(place, monkeypatch):
    monkeypatch.setattr(banded, 'BAND_BYTES', 1)
    stem, x = make(), torch.randn(1, 3, 40, 40)
    x[:, :, place[0], place[1]] = torch.nan
    assert torch.equal(stem(x).isnan(), plain(stem, x).isnan()) and stem(x).isnan().any()


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
@torch.no_grad()
def test_other_dtypes_and_autocast(dtype, monkeypatch):
    monkeypatch.setattr(banded, 'BAND_BYTES', 1)
    stem, x = make().to(dtype), torch.randn(1, 3, 40, 40, dtype=dtype)
    torch.testing.assert_close(stem(x), plain(stem, x))
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(stem(x), plain(stem, x), rtol=0.02, atol=0.02)


@torch.no_grad()
def test_runs_without_onednn(monkeypatch):
    monkeypatch.setattr(banded, 'BAND_BYTES', 1)
    stem, x = make(), torch.randn(1, 3, 40, 40)
    with torch.backends.mkldnn.flags(enabled=False):
        torch.testing.assert_close(stem(x), plain(stem, x))


@torch.no_grad()
def test_recorded_graph_has_the_activation_in_front_of_the_pool():
    stem, x = make(), torch.randn(1, 3, 40, 40)
    traced = torch.jit.trace(stem, x)
    kinds = [node.kind() for node in traced.inlined_graph.nodes()]
    assert kinds.index('aten::relu') < kinds.index('aten::max_pool2d')
    assert torch.equal(traced(x), plain(stem, x))


def test_bands_take_less_memory():
    stem = BandedPool(nn.Conv2d(3, 24, 3, 2, 1), nn.MaxPool2d(3, 2, 1), nn.ReLU())
    x = torch.randn(1, 3, 800, 1216)
    with torch.no_grad():
        in_bands = peak_memory(lambda: stem(x))
    assert in_bands < 0.5 * peak_memory(lambda: stem(x.requires_grad_()))


@torch.no_grad()
def test_gathered_channels_keep_their_format():
    x, index = torch.randn(2, 6, 5, 7), torch.tensor([3, 0, 5, 1])
    x = x.contiguous(memory_format=torch.channels_last)
    gathered = banded.gather_channels(x, index)
    assert torch.equal(gathered, x[:, index])
    assert gathered.is_contiguous(memory_format=torch.channels_last)

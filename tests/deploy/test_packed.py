"""The fast paths of the inference form give the values of plain layers."""

import copy
import io

import pytest
import torch
from torch import nn

from shufflenet_det.deploy import packed
from shufflenet_det.deploy.packed import BandedPool, PackedConv2d, pack_convs

ACTS = [None, nn.ReLU(inplace=True), nn.LeakyReLU(0.1), nn.ReLU6(), nn.SiLU()]
IMAGE = (2, 12, 29, 33)


def make(act: nn.Module | None = None, groups: int = 1) -> PackedConv2d:
    return PackedConv2d(12, 24, 3, 2, 1, groups=groups, act=act).eval()


def plain(conv: PackedConv2d, x: torch.Tensor) -> torch.Tensor:
    y = torch.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding, 1, conv.groups)
    return y if conv.act is None else conv.act(y)


@pytest.fixture
def counted(monkeypatch) -> list:
    """Calls that took the fast path of packed weights."""
    calls, inner = [], PackedConv2d._packed_weight
    monkeypatch.setattr(
        PackedConv2d, '_packed_weight', lambda self, x: (calls.append(1), inner(self, x))[1]
    )
    return calls


@pytest.mark.parametrize('act', ACTS, ids=lambda act: type(act).__name__)
@pytest.mark.parametrize('groups', [1, 12])
@torch.no_grad()
def test_conv_and_activation_are_equal(act, groups, counted):
    conv, x = make(act, groups), torch.randn(IMAGE)
    for image in (x, x.contiguous(memory_format=torch.channels_last), x[:, :, 1:, 2:]):
        torch.testing.assert_close(conv(image), plain(conv, image), rtol=1e-4, atol=1e-5)
    assert len(counted) == 3


@torch.no_grad()
def test_new_weights_are_packed_anew():
    conv, x = make(), torch.randn(IMAGE)
    conv(x)
    conv.load_state_dict(make().state_dict())
    torch.testing.assert_close(conv(x), plain(conv, x), rtol=1e-4, atol=1e-5)
    conv.weight.data = torch.randn_like(conv.weight)
    torch.testing.assert_close(conv(x), plain(conv, x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_copies_and_saves_without_its_packed_weights():
    conv, x = make(nn.ReLU()), torch.randn(IMAGE)
    expected = conv(x)
    file = io.BytesIO()
    torch.save(conv, file)
    file.seek(0)
    for other in (copy.deepcopy(conv), torch.load(file, weights_only=False)):
        assert torch.equal(other(x), expected)


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
def test_other_dtypes_take_the_plain_path(dtype, counted):
    conv, x = make(nn.ReLU()).to(dtype), torch.randn(IMAGE, dtype=dtype)
    with torch.no_grad():
        assert torch.equal(conv(x), plain(conv, x))
    assert not counted


@torch.no_grad()
def test_small_inputs_take_the_plain_path(counted):
    conv, x = make(nn.ReLU()), torch.randn(1, 12, 8, 8)
    assert torch.equal(conv(x), plain(conv, x)) and not counted


def test_gradients_take_the_plain_path(counted):
    conv = make(nn.ReLU())
    conv(torch.randn(IMAGE)).sum().backward()
    assert conv.weight.grad is not None and not counted


@torch.no_grad()
def test_every_plain_conv_of_a_model_is_packed_once():
    shared = nn.Conv2d(12, 12, 1)
    same = nn.Conv2d(12, 12, 3, padding='same')
    model = nn.Sequential(shared, nn.Sequential(shared, nn.ReLU()), same).eval()
    x = torch.randn(IMAGE)
    expected = model(x)
    names = model.state_dict().keys()
    pack_convs(model)
    assert type(model[0]) is PackedConv2d and model[1][0] is model[0] and model[2] is same
    assert model.state_dict().keys() == names
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('height', range(32, 41))
@torch.no_grad()
def test_stem_in_bands_is_equal(height, stride, monkeypatch):
    stem = BandedPool(nn.Conv2d(3, 8, 3, stride, 1), nn.MaxPool2d(3, 2, 1))
    for width in (32, 35, 37, 38):
        x = torch.randn(2, 3, height, width)
        whole = stem(x)
        for rows in (1, 2, 5, 11):
            row_bytes = 2 * 8 * -(-width // stride) * 2 * 4
            monkeypatch.setattr(packed, 'BAND_BYTES', rows * row_bytes)
            torch.testing.assert_close(stem(x), whole, rtol=1e-5, atol=1e-5)
        monkeypatch.undo()


def test_bands_take_less_memory():
    from shufflenet_det.bench.timing import peak_memory

    stem = BandedPool(nn.Conv2d(3, 24, 3, 2, 1), nn.MaxPool2d(3, 2, 1))
    x = torch.randn(1, 3, 800, 1216)
    with torch.no_grad():
        in_bands = peak_memory(lambda: stem(x))
    assert in_bands < 0.5 * peak_memory(lambda: stem(x.requires_grad_()))


@torch.no_grad()
def test_gathered_channels_keep_their_format():
    x, index = torch.randn(2, 6, 5, 7), torch.tensor([3, 0, 5, 1])
    x = x.contiguous(memory_format=torch.channels_last)
    gathered = packed.gather_channels(x, index)
    assert torch.equal(gathered, x[:, index])
    assert gathered.is_contiguous(memory_format=torch.channels_last)

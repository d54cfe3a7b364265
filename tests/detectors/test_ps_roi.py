import math

import pytest
import torch
import torchvision
from mmdet.registry import MODELS
from torch import Tensor

import shufflenet_det  # noqa: F401  (registers the modules)
from shufflenet_det.detectors.ps_roi import SHIFTS, ps_roi_align, ps_roi_align_as_roi_align

# Pixels of the map subtracted from the scaled RoI: half a pixel in torchvision's op, none in the
# code of the authors.
EXPECTED_SHIFTS = {'avg': 0.5, 'max': 0.0}
FORMS = [ps_roi_align, ps_roi_align_as_roi_align]
# few: torchvision's kernel on the CPU; many: the sparse product
ROI_COUNTS = {'few': 5, 'many': 90}
HOSTILE = {
    'nan': [math.nan, 2, 30, 40],
    'all_nan': [math.nan] * 4,
    'inf': [1, 2, math.inf, 40],
    'both_inf': [-math.inf, -math.inf, math.inf, math.inf],
    'huge': [-3e38, -3e38, 3e38, 3e38],
    'zero_area': [20, 20, 20, 20],
    'reversed': [60, 50, 10, 5],
    'outside': [-900, -900, -800, -850],
    'far_outside': [1e9, 1e9, 2e9, 2e9],
}


def make_map(channels: int = 98, batch: int = 2, size: tuple = (9, 11), **kwargs) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, channels, *size, generator=generator, **kwargs)


def make_rois(count: int, batch: int = 2, width: int = 176, height: int = 144) -> Tensor:
    """Random RoIs on a stride-16 map of make_map's size; some reach out of the image."""
    generator = torch.Generator().manual_seed(1)
    corner = torch.rand(count, 2, 2, generator=generator) * 1.4 - 0.2
    boxes = (corner.sort(1).values * torch.tensor([width, height])).flatten(1)
    image = torch.randint(batch, (count, 1), generator=generator)
    return torch.cat((image, boxes), 1)


def bilinear(plane: Tensor, y: float, x: float) -> float:
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    value = 0.0
    for row in {math.floor(y), math.ceil(y)}:
        for column in {math.floor(x), math.ceil(x)}:
            value += plane[row, column].item() * (1 - abs(y - row)) * (1 - abs(x - column))
    return value


def slow_reference(
    input: Tensor, rois: Tensor, size: int, scale: float, ratio: int, mode: str
) -> Tensor:
    channels = input.shape[1] // size**2
    output = torch.zeros(len(rois), channels, size, size)
    for k, roi in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (value * scale - EXPECTED_SHIFTS[mode] for value in roi[1:])
        step_y, step_x = (y2 - y1) / size, (x2 - x1) / size
        for c, i, j in (
            (c, i, j) for c in range(channels) for i in range(size) for j in range(size)
        ):
            plane = input[int(roi[0]), (c * size + i) * size + j]
            samples = [
                bilinear(
                    plane,
                    y1 + (i + (a + 0.5) / ratio) * step_y,
                    x1 + (j + (b + 0.5) / ratio) * step_x,
                )
                for a in range(ratio)
                for b in range(ratio)
            ]
            output[k, c, i, j] = max(samples) if mode == 'max' else sum(samples) / len(samples)
    return output


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('count', ROI_COUNTS.values(), ids=ROI_COUNTS)
@pytest.mark.parametrize('mode', SHIFTS)
@pytest.mark.parametrize(('size', 'ratio'), [(7, 2), (3, 1), (2, 3)])
def test_equals_slow_reference(form, count, mode, size, ratio):
    input, rois = make_map(2 * size**2), make_rois(count)
    expected = slow_reference(input, rois, size, 1 / 16, ratio, mode)
    actual = form(input, rois, size, 1 / 16, ratio, mode)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('count', ROI_COUNTS.values(), ids=ROI_COUNTS)
def test_value_and_gradient_equal_torchvision(count, layout):
    rois, results = make_rois(count), []
    for op in (ps_roi_align, torchvision.ops.ps_roi_align):
        input = make_map(490).contiguous(memory_format=layout).requires_grad_()
        output = op(input, rois, 7, 1 / 16, 2)
        (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
        results.append((output, input.grad))
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('mode', SHIFTS)
@pytest.mark.parametrize('count', ROI_COUNTS.values(), ids=ROI_COUNTS)
def test_gradcheck(mode, count):
    input = make_map(8, size=(4, 5), dtype=torch.double).requires_grad_()
    rois = make_rois(count, width=80, height=64).double()
    assert torch.autograd.gradcheck(lambda x: ps_roi_align(x, rois, 2, 1 / 16, 2, mode), input)


def test_gradient_reaches_only_the_input():
    rois = make_rois(90).requires_grad_()
    ps_roi_align(make_map().requires_grad_(), rois, 7, 1 / 16).sum().backward()
    assert rois.grad is None


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('mode', SHIFTS)
@pytest.mark.parametrize('count', ROI_COUNTS.values(), ids=ROI_COUNTS)
@pytest.mark.parametrize('box', HOSTILE.values(), ids=HOSTILE)
def test_hostile_roi_gives_finite_output_and_spares_the_others(form, mode, count, box):
    input, rois = make_map(), make_rois(count)
    expected = form(input, rois, 7, 1 / 16, 2, mode)
    rois[2, 1:] = torch.tensor(box)
    actual = form(input, rois, 7, 1 / 16, 2, mode)
    assert actual.isfinite().all()
    others = torch.arange(count) != 2
    assert torch.equal(actual[others], expected[others])


@pytest.mark.parametrize('form', FORMS)
def test_roi_wholly_outside_is_zero(form):
    rois = torch.tensor([[0, *HOSTILE['outside']]])
    assert not form(make_map(), rois, 7, 1 / 16).any()


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('mode', SHIFTS)
def test_no_rois_keep_the_input_in_the_graph(form, mode):
    input = make_map().requires_grad_()
    output = form(input, torch.zeros(0, 5), 7, 1 / 16, 2, mode)
    assert output.shape == (0, 2, 7, 7)
    output.sum().backward()
    assert not input.grad.any()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('form', FORMS)
def test_half_precision_is_computed_in_single(form, dtype):
    input, rois = make_map().to(dtype), make_rois(40)
    output = form(input, rois, 7, 1 / 16)
    assert output.dtype == dtype
    assert torch.equal(output, form(input.float(), rois, 7, 1 / 16).to(dtype))


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(rois=torch.tensor([[2.0, 0, 0, 9, 9]])), r'expected 0 to 1, got \[2.0\]'),
        (dict(rois=torch.tensor([[-1.0, 0, 0, 9, 9]])), r'expected 0 to 1, got \[-1.0\]'),
        (dict(rois=torch.tensor([[math.nan, 0, 0, 9, 9]])), r'expected 0 to 1, got \[nan\]'),
        (dict(rois=torch.zeros(3, 4)), r'rois must be \(K, 5\).*got \(3, 4\)'),
        (dict(input=torch.zeros(1, 97, 4, 4)), r'multiple of output_size\^2 = 49, got \(1, 97'),
        (dict(input=torch.zeros(98, 4, 4)), r'must be \(N, C, H, W\).*got \(98, 4, 4\)'),
        (dict(mode='mean'), r"one of \['avg', 'max'\], got 'mean'"),
        (dict(sampling_ratio=0), 'sampling_ratio must be 1 or more, got 0'),
    ],
)
def test_bad_arguments_are_named(form, change, message):
    with pytest.raises(ValueError, match=message):
        form(**(dict(input=make_map(), rois=make_rois(3)) | change))


def build_extractor(strides: list[int], **layer) -> torch.nn.Module:
    layer = dict(type='PSRoIAlign', output_size=7, sampling_ratio=2) | layer
    return MODELS.build(
        dict(
            type='PSRoIExtractor',
            roi_layer=layer,
            out_channels=2,
            featmap_strides=strides,
            finest_scale=56,
        )
    )


@pytest.mark.parametrize('mode', SHIFTS)
def test_extractor_pools_a_single_level(mode):
    input, rois = make_map(), make_rois(40)
    pooled = build_extractor([16], mode=mode)((input,), rois)
    assert torch.equal(pooled, ps_roi_align(input, rois, 7, 1 / 16, 2, mode))


def make_levels() -> tuple[list[int], list[Tensor]]:
    strides = [4, 8, 16]
    return strides, [make_map(size=(144 // s, 176 // s)).requires_grad_() for s in strides]


@pytest.mark.parametrize('factor', [None, 1.3])
def test_extractor_pools_every_roi_on_its_level_and_keeps_the_order(factor):
    strides, maps = make_levels()
    rois = make_rois(40) * torch.tensor([1, 2, 2, 2, 2])
    extractor = build_extractor(strides)
    levels = extractor.map_roi_levels(rois, 3)
    assert levels.unique().tolist() == [0, 1, 2]
    pooled = extractor(tuple(maps), rois, roi_scale_factor=factor)
    scaled = rois if factor is None else extractor.roi_rescale(rois, factor)
    for k, level in enumerate(levels.tolist()):
        expected = ps_roi_align(maps[level], scaled[k : k + 1], 7, 1 / strides[level])
        torch.testing.assert_close(pooled[k : k + 1], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('count', [0, 1])
def test_every_level_gets_a_gradient_without_rois(count):
    strides, maps = make_levels()
    build_extractor(strides)(tuple(maps), make_rois(40)[:count]).sum().backward()
    assert all(level.grad is not None and level.grad.isfinite().all() for level in maps)


@pytest.mark.parametrize('box', HOSTILE.values(), ids=HOSTILE)
def test_extractor_keeps_hostile_rois(box):
    strides, maps = make_levels()
    rois = torch.cat((make_rois(3), torch.tensor([[0, *box]])))
    pooled = build_extractor(strides)(tuple(maps), rois)
    assert pooled.shape == (4, 2, 7, 7)
    assert pooled.isfinite().all()


def test_extractor_keeps_single_precision_rois_under_amp():
    """A RoI at 2001.5 px is not representable in half precision."""
    rois = torch.tensor([[0, 2001.5, 5, 2110.5, 100]]).expand(20, 5)
    input = make_map(size=(9, 140)).half()
    pooled = build_extractor([16])((input,), rois)
    assert torch.equal(pooled, ps_roi_align(input.float(), rois, 7, 1 / 16).half())

import pytest
import torch
from mmcv.ops import batched_nms
from torch import Tensor
from torchvision.ops import nms

from shufflenet_det.detectors import rpn_nms
from shufflenet_det.detectors.rpn_nms import BLOCK, FEW_BOXES, GROWTH, batched_nms_topk, nms_topk


def random_boxes(count: int, generator: torch.Generator, clusters: int, spread: float) -> Tensor:
    """Boxes scattered about `clusters` centre boxes by `spread` of their size."""
    member = torch.randint(clusters, (count,), generator=generator)
    centre = torch.rand(clusters, 2, generator=generator) * 800
    size = torch.exp(torch.rand(clusters, 2, generator=generator) * 2.5 + 3)
    jitter = torch.randn(2, count, 2, generator=generator) * spread
    half = size[member] * torch.exp(jitter[0]) / 2
    middle = centre[member] + jitter[1] * size[member]
    return torch.cat((middle - half, middle + half), 1)


def clustered(count, generator):
    return random_boxes(count, generator, clusters=60, spread=0.1)


def scattered(count, generator):
    return random_boxes(count, generator, clusters=count, spread=0.3)


def heavily_overlapping(count, generator):
    return random_boxes(count, generator, clusters=5, spread=0.03)


def on_a_grid(count, generator):
    """Integer corners of few values: equal boxes, IoUs exactly at a threshold, empty boxes."""
    corner = torch.randint(12, (count, 2, 2), generator=generator).sort(1).values
    return corner.flatten(1).float()


def chain(count, generator):
    """Each box overlaps only its neighbours above the threshold: the longest dependence."""
    left = torch.arange(count) * 1.5
    return torch.stack((left, left * 0, left + 10, left * 0 + 10), 1)


def tiny_and_huge(count, generator):
    scale = 10.0 ** torch.randint(-22, 19, (count, 1), generator=generator)
    return on_a_grid(count, generator) * scale


def infinite(count, generator):
    boxes = clustered(count, generator)
    boxes[::7, 2] = torch.inf
    boxes[3::50] = torch.nan
    return boxes


def reversed_corners(count, generator):
    boxes = clustered(count, generator)
    boxes[::5] = boxes[::5][:, [2, 3, 0, 1]]
    return boxes


def double_precision(count, generator):
    return clustered(count, generator).double()


KINDS = [
    clustered,
    scattered,
    heavily_overlapping,
    on_a_grid,
    chain,
    tiny_and_huge,
    infinite,
    reversed_corners,
    double_precision,
]
SCORES = {
    'distinct': lambda n, generator: torch.rand(n, generator=generator),
    'tied': lambda n, generator: torch.randint(4, (n,), generator=generator).float(),
    'falling': lambda n, generator: torch.arange(n, 0, -1).float(),
}


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('scores', SCORES.values(), ids=SCORES)
@pytest.mark.parametrize('threshold', [0.0, 0.3, 0.5, 0.7, 1.0])
def test_equals_torchvision_index_for_index(kind, scores, threshold):
    generator = torch.Generator().manual_seed(0)
    for count in (FEW_BOXES, BLOCK * (1 + GROWTH) + 1, 2000):
        boxes, score = kind(count, generator), scores(count, generator)
        expected = nms(boxes, score.to(boxes.dtype), threshold)
        for max_num in (1, 100, count):
            actual = nms_topk(boxes, score.to(boxes.dtype), threshold, max_num)
            assert torch.equal(actual, expected[:max_num])


@pytest.mark.parametrize('count', [0, 1, FEW_BOXES - 1])
def test_few_boxes(count):
    generator = torch.Generator().manual_seed(0)
    boxes, scores = clustered(count, generator), torch.rand(count, generator=generator)
    assert torch.equal(nms_topk(boxes, scores, 0.5, 10), nms(boxes, scores, 0.5)[:10])


def test_no_box_wanted():
    generator = torch.Generator().manual_seed(0)
    boxes = clustered(FEW_BOXES, generator)
    assert nms_topk(boxes, boxes[:, 0], 0.5, 0).tolist() == []


def test_negative_max_num_is_named():
    with pytest.raises(ValueError, match='max_num must be 0 or more, got -1'):
        nms_topk(torch.zeros(1, 4), torch.zeros(1), 0.5, -1)


@pytest.mark.parametrize('count', [20, 2 * BLOCK])
def test_batched_form_equals_mmcv(count):
    generator = torch.Generator().manual_seed(0)
    boxes, scores = clustered(count, generator), torch.rand(count, generator=generator)
    levels = torch.randint(5, (count,), generator=generator)
    _, expected = batched_nms(boxes, scores, levels, dict(type='nms', iou_threshold=0.7))
    assert torch.equal(batched_nms_topk(boxes, scores, levels, 0.7, 50), expected[:50])


def test_batched_form_of_no_boxes():
    empty = torch.zeros(0)
    assert batched_nms_topk(torch.zeros(0, 4), empty, empty, 0.7, 50).tolist() == []


@pytest.mark.parametrize('kind', KINDS)
def test_many_small_cases_in_small_blocks(kind, monkeypatch):
    for name, value in dict(BLOCK=16, CHUNK=4, FEW_BOXES=1).items():
        monkeypatch.setattr(rpn_nms, name, value)
    for seed in range(300):
        generator = torch.Generator().manual_seed(seed)
        boxes, scores = kind(70, generator), torch.rand(70, generator=generator)
        scores = scores.round(decimals=1).to(boxes.dtype)
        expected = nms(boxes, scores, 0.6)
        assert torch.equal(nms_topk(boxes, scores, 0.6, 25), expected[:25]), seed

"""The form for a CUDA graph: the eager detector's boxes, and no step that follows the values."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.ops import nms

from shufflenet_det.bench.operators import boxes_about
from shufflenet_det.bench.pictures import fit
from shufflenet_det.bench.untrained import detect
from shufflenet_det.data.pixels import read_image
from shufflenet_det.deploy.cuda_graph import CudaGraph
from shufflenet_det.deploy.fixed_detector import fixed_detector
from shufflenet_det.deploy.fixed_nms import fixed_nms_mask
from shufflenet_det.deploy.graph_ops import nms_mask
from shufflenet_det.deploy.sources import find_images

FOLLOW_VALUES = (
    'aten::_local_scalar_dense', 'aten::item', 'aten::is_nonzero', 'aten::equal',
    'aten::nonzero', 'aten::masked_select', 'aten::_unique2', 'aten::unique_consecutive',
    'aten::repeat_interleave', 'aten::bincount', 'torchvision::nms', 'shufflenet_det::nms_mask',
)  # fmt: skip
"""Operators that wait for a GPU: a value, or a shape that follows values."""


class Operators(TorchDispatchMode):
    """Counts operators; an index by a mask counts as `nonzero`."""

    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().partition('.')[0]
        masks = name.startswith('aten::index') and any(
            isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)
            for index in (args[1] if isinstance(args[1], (list, tuple)) else args[1:2])
        )
        self.count['aten::nonzero' if masks else name] += 1
        return func(*args, **(kwargs or {}))


def pictures(image: np.ndarray, count: int) -> torch.Tensor:
    turned = [image, image[::-1], 255 - image, image[:, ::-1]][:count]
    return torch.from_numpy(np.stack(turned).transpose(0, 3, 1, 2).copy())


def assert_same(model: torch.nn.Module, images: torch.Tensor) -> None:
    expected = detect(model, images)
    with torch.no_grad():
        found = fixed_detector(model)(images)
    for reference, boxes, scores, labels in zip(expected, *found, strict=True):
        count = len(reference)
        assert count > 3
        assert labels[:count].tolist() == reference.labels.tolist()
        assert (labels[count:] == -1).all() and (scores[count:] == 0).all()
        torch.testing.assert_close(scores[:count], reference.scores, rtol=0, atol=1e-4)
        torch.testing.assert_close(boxes[:count], reference.bboxes, rtol=0, atol=1e-3)


@pytest.fixture(params=['single', 'fpn'])
def model(request, files) -> torch.nn.Module:
    return files(request.param).predictor().model


@pytest.mark.parametrize('batch', [1, 4])
def test_detections_equal_the_eager_detectors(model, image, batch):
    with torch.no_grad():
        assert_same(model, pictures(image, batch))


def test_detections_on_real_images_equal_the_eager_detectors(model, test_data):
    paths = find_images(test_data / 'coco128_train2017/train2017')[:4]
    fitted = [fit(read_image(path), (128, 160))[0] for path in paths]
    with torch.no_grad():
        assert_same(model, torch.from_numpy(np.stack(fitted).transpose(0, 3, 1, 2).copy()))


def test_no_operator_follows_the_values(model, image):
    graph = fixed_detector(model)
    with torch.no_grad(), Operators() as seen:
        graph(pictures(image, 2))
    assert seen.count['shufflenet_det::top'] > 0
    assert not set(FOLLOW_VALUES) & set(seen.count)


def test_the_eager_detector_has_operators_that_follow_the_values(model, image):
    """What the test above looks for is seen where it is."""
    with torch.no_grad(), Operators() as seen:
        detect(model, pictures(image, 2))
    assert seen.count['aten::nonzero'] > 0


def test_half_precision_keeps_boxes_and_scores_in_single(model):
    graph = fixed_detector(model, half=True)
    weights = {name: p.dtype for name, p in graph.named_parameters()}
    assert set(weights.values()) == {torch.float16}
    assert {b.dtype for b in graph.proposals.buffers(recurse=False)} == {torch.float32}
    assert graph.roi_scores.decode.mean.dtype == torch.float32


def candidates(images: int = 2, count: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes about objects, with scores of which many tie and a fifth are no candidates."""
    generator = torch.Generator().manual_seed(0)
    boxes = torch.stack([boxes_about(8, count, 0.4, generator) for _ in range(images)])
    boxes[:, 5] = boxes[:, 5, [0, 1, 0, 1]]  # empty
    return boxes, torch.randint(50, (images, count), generator=generator) / 50


@pytest.mark.parametrize('threshold', [0.3, 0.6, 0.7])
@pytest.mark.parametrize('most', [3, 40, 1000])
def test_suppression_is_torchvisions(threshold, most):
    boxes, scores = candidates()
    expected = nms_mask(boxes, scores, most, threshold, 0.2)
    assert 2 < expected[0].sum() <= most
    assert torch.equal(fixed_nms_mask(boxes, scores, most, threshold, 0.2), expected)


def test_groups_are_suppressed_apart():
    boxes, scores = candidates(count=300)
    found = fixed_nms_mask(boxes, scores, 1000, 0.5, 0.2, groups=3)
    for group in range(3):
        own = nms_mask(boxes[:, group::3], scores[:, group::3], 1000, 0.5, 0.2)
        assert torch.equal(found[:, group::3], own)


def test_a_chain_of_overlaps_longer_than_a_word_is_settled():
    boxes = torch.arange(150.0)[:, None] * torch.tensor([4.0, 0, 4, 0]) + torch.tensor(
        [0, 0, 10, 9]
    )
    scores = torch.linspace(1, 0.5, 150)
    kept = nms(boxes, scores, 0.3)
    assert kept.tolist() == list(range(0, 150, 2))
    mask = fixed_nms_mask(boxes[None], scores[None], 1000, 0.3, 0.0)
    assert mask[0].nonzero()[:, 0].tolist() == kept.tolist()


INTERPRETED = """
import torch
from test_fixed_detector import candidates
from shufflenet_det.deploy.fixed_nms import greedy
from shufflenet_det.deploy.nms_kernels import greedy_on_cuda

boxes, scores = candidates(count=150)
scores, order = scores.sort(descending=True, stable=True)
boxes = boxes.gather(1, order[..., None].expand(-1, -1, 4))
counts = (scores > 0.2).sum(1, dtype=torch.int32)
for most in (3, 40, 1000):
    found = greedy_on_cuda(boxes, counts, 0.6, most)
    print(most, torch.equal(found, greedy(boxes, scores > 0.2, 0.6, most)))
"""


def test_kernels_give_the_same_mask():
    """In Triton's interpreter, which runs them on the CPU and has to be chosen before an import."""
    pytest.importorskip('triton', reason='Triton comes with torch on Linux')
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', INTERPRETED],
        env={**os.environ, 'TRITON_INTERPRET': '1', 'PYTHONPATH': os.pathsep.join(sys.path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ['3 True', '40 True', '1000 True'], done.stderr


def test_graph_says_what_it_needs():
    with pytest.raises(ValueError, match='needs a CUDA device, the input is on cpu'):
        CudaGraph(torch.nn.Identity())(torch.zeros(1, 3, 8, 8))

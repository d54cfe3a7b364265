"""What differs on a GPU: the values of each form, the guarded operators, graphs."""

import pytest
import torch
from torchvision.ops import nms
from torchvision.ops import ps_roi_align as torchvision_ps_roi_align

from shufflenet_det.bench.detector_forms import DETECTOR_FORMS
from shufflenet_det.bench.detector_latency import DetectorRun
from shufflenet_det.bench.forms import FORMS, prepare
from shufflenet_det.bench.gpu.agreement import agreement
from shufflenet_det.bench.gpu.record import CONFIGS, PYRAMID
from shufflenet_det.bench.latency import Conditions, build
from shufflenet_det.bench.operators import boxes_about
from shufflenet_det.bench.paper.decomposition import CLASSES, decompose
from shufflenet_det.bench.timing import measure
from shufflenet_det.deploy import fixed_nms
from shufflenet_det.deploy.graph_ops import nms_mask
from shufflenet_det.detectors.ps_roi import SHIFTS, ps_roi_align
from shufflenet_det.detectors.rpn_nms import nms_topk

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')

ON_GPU = [form for form in FORMS if 'onnxruntime' not in form and 'compile' not in form]
TOLERANCE = dict(float32=1e-5, float16=2e-2)


@pytest.fixture(autouse=True)
def without_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('form', ON_GPU)
@torch.no_grad()
def test_form_gives_the_values_of_the_cpu(form, dtype):
    model = build('snv2_0.5x')
    x = Conditions((64, 96), 2, 'cuda', dtype).input_for('snv2_0.5x')
    expected = model(x.cpu().float())
    found = prepare('snv2_0.5x', form, model.to(x), x)()
    for ours, reference in zip(found, expected, strict=True):
        error = (ours.cpu().float() - reference).abs().max() / reference.abs().max()
        assert error < TOLERANCE[dtype]


@torch.no_grad()
def test_graph_follows_its_input():
    model = build('snv2_0.5x').cuda()
    first, second = torch.randn(2, 1, 3, 64, 64, device='cuda')
    forward = FORMS['deploy-cuda-graph'](model, first)
    for x in (first, second, first):
        for ours, reference in zip(forward(x), model(x), strict=True):
            assert (ours - reference).abs().max() < 1e-5 * reference.abs().max()


@pytest.mark.parametrize('batch', [1, 2])
def test_pooling_and_its_gradient_are_torchvisions(batch):
    generator = torch.Generator().manual_seed(0)
    thin_map = torch.randn(batch, 490, 25, 38, generator=generator).cuda().requires_grad_()
    index = torch.randint(batch, (200, 1), generator=generator).float()
    rois = torch.cat((index, boxes_about(20, 200, 0.5, generator)), 1).cuda()
    outs, gradients = [], []
    for op in (ps_roi_align, torchvision_ps_roi_align):
        out = op(thin_map, rois, 7, 1 / 32, 2)
        outs.append(out)
        gradients += torch.autograd.grad((out * out).sum(), thin_map)
    assert torch.equal(*outs)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('mode', SHIFTS)
def test_pooling_and_its_gradient_are_those_of_the_cpu(mode):
    """In double precision, where no two samples of a bin are about equal."""
    generator = torch.Generator().manual_seed(0)
    thin_map = torch.randn(2, 490, 25, 38, generator=generator).double()
    index = torch.randint(2, (200, 1), generator=generator)
    rois = torch.cat((index, boxes_about(20, 200, 0.5, generator)), 1).double()
    results = []
    for device in ('cpu', 'cuda'):
        leaf = thin_map.to(device).requires_grad_()
        out = ps_roi_align(leaf, rois.to(device), 7, 1 / 32, 2, mode)
        (gradient,) = torch.autograd.grad((out * out).sum(), leaf)
        results.append((out.cpu(), gradient.cpu()))
    for ours, reference in zip(*results, strict=True):
        torch.testing.assert_close(ours, reference)


def test_roi_of_no_image_gives_nan_and_leaves_the_others_alone():
    """An error would have to wait for the device."""
    thin_map = torch.randn(2, 490, 25, 38, device='cuda')
    rois = torch.tensor([[0.0, 8, 8, 99, 99]] * 5, device='cuda')
    rois[1:4, 0] = torch.tensor([2.0, -1.0, torch.nan])
    out = ps_roi_align(thin_map, rois, 7, 1 / 32, 2)
    assert out[1:4].isnan().all()
    assert torch.equal(out[[0, 4]], torchvision_ps_roi_align(thin_map, rois[[0, 4]], 7, 1 / 32, 2))


@pytest.mark.parametrize('mode', SHIFTS)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_hostile_rois_leave_the_others_alone(dtype, mode):
    thin_map = torch.randn(2, 490, 25, 38, device='cuda', dtype=dtype)
    rois = torch.tensor([[0.0, 8, 8, 99, 99]] * 12, device='cuda', dtype=dtype)
    expected = ps_roi_align(thin_map, rois, 7, 1 / 32, 2, mode)
    for place, value in enumerate((torch.nan, torch.inf, -torch.inf, 3e38, -3e38), 1):
        rois[place, 1:] = value
        rois[place + 5, 2] = value
    out = ps_roi_align(thin_map, rois, 7, 1 / 32, 2, mode)
    assert torch.equal(out[[0, 11]], expected[[0, 11]])


@pytest.mark.parametrize('config', [*CONFIGS, PYRAMID])
@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('batch', [1, 4])
def test_whole_detector_as_one_graph_finds_what_the_eager_one_finds(config, dtype, batch):
    row = agreement(config, batch, dtype, (256, 320))
    assert row.agrees, row


@pytest.mark.parametrize('triton', [True, False])
def test_suppression_of_a_graph_is_that_of_the_cpu(monkeypatch, triton):
    monkeypatch.setattr(fixed_nms, 'HAS_TRITON', triton)
    generator = torch.Generator().manual_seed(0)
    boxes = torch.stack([boxes_about(60, 6000, spread, generator) for spread in (0.15, 1.0)])
    scores = torch.rand(2, 6000, generator=generator)
    args = (1000 if triton else 100, 0.7, 0.1)
    found = fixed_nms.fixed_nms_mask(boxes.cuda(), scores.cuda(), *args)
    assert torch.equal(found.cpu(), nms_mask(boxes, scores, *args))


def test_suppression_is_torchvisions():
    generator = torch.Generator().manual_seed(0)
    boxes = boxes_about(60, 2000, 0.3, generator).cuda()
    scores = torch.rand(2000, generator=generator).cuda()
    assert torch.equal(nms_topk(boxes, scores, 0.7, 300), nms(boxes, scores, 0.7)[:300])


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('form', [form for form in DETECTOR_FORMS if 'onnxruntime' not in form])
def test_detector_runs_in_each_form(form, dtype):
    x = torch.randn(2, 3, 128, 160, device='cuda', dtype=getattr(torch, dtype))
    run = DetectorRun('configs/lighthead_snv2_0.5x.py', form, x)
    run.turn()
    assert run.detections == run()
    assert run.row().total.images == 2


def test_kernels_are_timed_and_told_apart():
    model = build('snv2_0.5x').cuda()
    x = torch.randn(1, 3, 64, 64, device='cuda')
    found = decompose('snv2_0.5x', lambda: model(x), 'cuda', 2)
    assert not found.unknown
    assert sum(found.class_ms.values()) == pytest.approx(found.total_ms)
    assert all(found.class_ms[name] > 0 for name in CLASSES)


def test_time_includes_the_kernels():
    """Launching returns at once; only what waits for the device sees a product of 8192 squares."""
    a = torch.randn(8192, 8192, device='cuda')
    (found,) = measure(dict(product=lambda: a @ a), 'cuda', turns=3)
    assert found.median_ms > 1
    assert found.peak_memory_bytes >= a.nbytes

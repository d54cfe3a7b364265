"""What is recorded on a GPU, on the CPU: small, and with rows that fail."""

import json

import pytest
import torch
from tools_here import run_here

from shufflenet_det.bench.gpu import record as recording
from shufflenet_det.bench.gpu.agreement import agreement, generated_images
from shufflenet_det.bench.gpu.training_speed import BACKWARD, TrainingStep, loader_speed
from shufflenet_det.bench.gpu.views import DATA, bound_of
from shufflenet_det.bench.views import tables_of


def test_the_fixed_form_agrees_with_the_eager_detector():
    row = agreement('configs/lighthead_snv2_0.5x.py', 1, 'float32', (96, 128), 'cpu')
    assert row.agrees and row.detections > 3
    assert row.found_again == 1 and row.pixels < 1e-2 and row.score < 1e-3


def test_a_graph_that_finds_other_boxes_does_not_agree(monkeypatch):
    class Nothing(torch.nn.Module):
        def forward(self, images):
            return torch.zeros(1, 5, 4), torch.zeros(1, 5), torch.full((1, 5), -1)

    monkeypatch.setattr('shufflenet_det.bench.gpu.agreement.fixed_detector', lambda *_: Nothing())
    row = agreement('configs/lighthead_snv2_0.5x.py', 1, 'float32', (96, 128), 'cpu')
    assert not row.agrees and row.found_again == 0


def test_generated_images_differ_by_seed_and_are_full_of_contrast():
    first, second = (generated_images(2, (64, 96), seed) for seed in (0, 1))
    assert first.shape == (2, 3, 64, 96) and first.dtype == torch.uint8
    assert not torch.equal(first, second) and first.float().std() > 20


@pytest.mark.parametrize('config', ['configs/photos/retinanet_1.0x_320.py',
                                    'configs/photos/lighthead_single_0.5x_320.py'])  # fmt: skip
def test_a_training_step_learns_and_its_parts_are_told_apart(config):
    step = TrainingStep(config, (96, 128), 2, 'cpu')
    before = [p.clone() for p in step.model.parameters()]
    parts = step.parts()
    assert {'backbone', BACKWARD} < set(parts) and min(parts.values()) > 0
    assert any('loss' in part for part in parts)
    changed = [(a != b).any() for a, b in zip(before, step.model.parameters(), strict=True)]
    assert any(changed)


def test_a_loader_is_timed_on_generated_pictures():
    assert loader_speed('configs/photos/retinanet_1.0x_320.py', 2, 0) > 0


@pytest.mark.parametrize(('loader', 'bound'), [(10, DATA), (500, BACKWARD)])
def test_what_bounds_a_training_is_the_slower_side(loader, bound):
    step = dict(images=16, median_ms=100.0)  # 160 images/s
    row = dict(step=step, parts={'backbone': 20.0, BACKWARD: 60.0}, loader_images_per_s=loader)
    assert bound_of(row) == bound


def test_a_row_that_fails_leaves_the_others():
    def fails():
        raise RuntimeError('no kernel\nand more')

    found, lost = recording.collect(dict(a=lambda: 1, b=fails, c=lambda: 3))
    assert found == [1, 3] and lost == dict(b='RuntimeError: no kernel')


def test_each_result_has_a_view():
    training = dict(
        config='c', size=(8, 8), parts=dict(backward=1.0), loader_images_per_s=5.0, workers=2,
        step=dict(median_ms=10.0, turns_ms=[10.0], n=1, images=16, peak_memory_bytes=None),
    )  # fmt: skip
    agreed = dict(config='c', dtype='float32', batch=1, detections=9, found_again=1.0, pixels=0.0,
                  score=0.0, agrees=False)  # fmt: skip
    (agreements,) = tables_of(dict(kind='graph agreement', rows=[agreed]))
    assert agreements.rows[0][-1] == 'NO' and agreements.rows[0][4] == 100
    speed, parts = tables_of(dict(kind='training speed', rows=[training]))
    assert speed.rows[0][-2] == DATA and parts.rows[0][-1] == 1.0


def test_tool_names_a_result_that_it_does_not_know(monkeypatch, capsys, tmp_path):
    names = ['operators_gpu', 'nothing']
    with pytest.raises(SystemExit, match='2'):
        run_here(monkeypatch, 'record_gpu.py', *names, '--results', tmp_path)
    assert 'nothing is not recorded here' in capsys.readouterr().err


def test_a_result_is_written_with_its_environment(monkeypatch, tmp_path):
    row = recording.GpuResult('operators', 'float32', 1, None, lambda *_: dict(rows=[], lost={}))
    kept = recording.GpuResult('x', 'float32', 1, None, lambda *_: dict(rows=[1], lost={}))
    monkeypatch.setattr(recording, 'GPU_RESULTS', dict(none=row, some=kept))
    recording.record('none', 'cpu', 3, tmp_path)
    recording.record('some', 'cpu', 3, tmp_path)
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text())['environment']['dtype'] == 'float32'

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from paths import ROOT, TOOLS
from torch import nn
from versions import needs_exporter

from shufflenet_det.bench import energy, memory
from shufflenet_det.bench.detector_complexity import detector_on_meta, model_complexity
from shufflenet_det.bench.detector_latency import DetectorRun, run_detectors
from shufflenet_det.bench.latency import Conditions
from shufflenet_det.bench.model_latency import COLD, FIRST, LOAD, WARM, ModelOptions, run_models
from shufflenet_det.bench.pictures import Pictures, fit, normalise
from shufflenet_det.bench.processes import merge_results
from shufflenet_det.bench.timing import summarise
from shufflenet_det.bench.views import tables_of

BACKBONE = "model = dict(type='ShuffleNetV2', arch='0.5x', out_indices=(0, 1))\n"
DETECTOR = f"""
_base_ = ['{ROOT}/configs/_base_/lighthead_s.py']
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, stem=[(8, 2)], stages=[(16, 2), (32, 2), (64, 2)], last_conv=64
        )
    ),
    test_cfg=dict(rpn=dict(nms_pre=50, max_per_img=20)),
)
"""
SMALL = Conditions((32, 32), turns=2)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A backbone's config, a detector's, and two pictures."""
    pytest.importorskip('onnxruntime', reason='needs the extra "deploy"')
    import cv2

    path = tmp_path_factory.mktemp('models')
    (path / 'net.py').write_text(BACKBONE)
    (path / 'detector.py').write_text(DETECTOR)
    (path / 'pictures').mkdir()
    for number, shape in enumerate([(20, 40, 3), (60, 30, 3)]):
        picture = np.full(shape, 50 * (number + 1), np.uint8)
        cv2.imwrite(str(path / f'pictures/{number}.png'), picture)
    torch.onnx.export(
        nn.Conv2d(3, 4, 3), (torch.zeros(1, 3, 8, 8),), path / 'conv.onnx', dynamo=False,
        input_names=['pixels'], dynamic_axes={'pixels': {0: 'n', 2: 'h', 3: 'w'}},
    )  # fmt: skip
    return path


def test_models_of_every_kind_stand_in_one_table(folder):
    targets = [str(folder / name) for name in ('conv.onnx', 'net.py', 'detector.py')]
    rows, again = run_models([*targets, 'snv2_0.5x'], Conditions((64, 64), turns=2), ModelOptions())
    assert [(row.model, row.form, row.phase) for row in rows] == [
        ('conv.onnx', 'ONNX file', WARM), ('net.py', 'eager', WARM),
        ('detector.py', 'eager', WARM), ('snv2_0.5x', 'eager', WARM),
    ]  # fmt: skip
    assert again.n == rows[0].timing.n == 2
    (table,) = tables_of(result(rows, again))
    assert len(table.rows) == 4 and table.header[-2] == 'speed / first row'


def test_a_backbone_of_a_config_is_counted_as_it_is_measured(folder):
    counted = model_complexity(detector_on_meta(folder / 'net.py'), (64, 64))
    (part,) = counted.parts
    assert part.name == 'backbone' and part.total.macs > 0 and counted.rois == 0


def test_cold_rows_and_the_start(folder):
    rows, _ = run_models([str(folder / 'conv.onnx')], SMALL, ModelOptions(cold=True))
    assert [row.phase for row in rows] == [WARM, COLD, LOAD, FIRST]
    assert [row.timing.calls for row in rows][1:] == [1, 1, 1] and rows[0].timing.calls > 1


def test_server_says_how_much_it_computes(folder):
    options = ModelOptions(scenario='server', rate=200.0)
    (row,), again = run_models([str(folder / 'conv.onnx')], SMALL, options)
    assert row.phase == 'server, 200/s' and 0 < row.utilisation < 1 and again is None
    (table,) = tables_of(result([row], again))
    assert 'utilisation' in table.header


def result(rows, again):
    return json.loads(json.dumps(dict(kind='model latency', rows=rows, again=again), default=vars))


def test_pictures_keep_their_aspect_ratio():
    padded, inside = fit(np.full((20, 40, 3), 9, np.uint8), (32, 32))
    assert inside == (16, 32) and padded.shape == (32, 32, 3)
    assert (padded[:16] == 9).all() and (padded[16:] == 0).all()


def test_pictures_are_normalised_as_the_detector_does():
    preprocessor = nn.Module()
    preprocessor._channel_conversion, preprocessor._enable_normalize = True, True
    preprocessor.mean, preprocessor.std = torch.tensor([[[1.0]], [[2.0]], [[3.0]]]), torch.tensor(2)
    pixels = torch.tensor([7, 6, 5], dtype=torch.uint8).view(1, 3, 1, 1)
    assert normalise(pixels, preprocessor).flatten().tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    'form', ['eager', pytest.param('deploy-onnxruntime', marks=needs_exporter)]
)
@pytest.mark.parametrize('resized', [False, True])
def test_a_detector_on_pictures(folder, form, resized):
    pictures = Pictures.of_folder(folder / 'pictures', resized)
    x = torch.zeros(1, 3, 64, 64)
    run = DetectorRun(folder / 'detector.py', form, x, pictures=pictures)
    (row,), _ = run_detectors([run], turns=3)
    assert ('resizing' in [part.name for part in row.parts]) is resized
    assert run.inside == [(32, 64)]  # the third turn sees the first picture again


def timing(turns):
    return json.loads(json.dumps(summarise('x', turns, cpu_turns_ms=turns), default=vars))


def test_processes_are_merged():
    machine = dict(start=1, end=2, busy=None)
    results = [
        dict(environment=dict(machine=dict(machine, busy=busy)), rows=[dict(a='x', t=timing(t))])
        for busy, t in ((None, [1.0, 1.0]), ('others', [2.0, 2.0, 2.0]))
    ]
    merged = merge_results(results)
    (row,) = merged['rows']
    assert row['t']['turns_ms'] == (1.0, 1.0, 2.0, 2.0, 2.0) and row['t']['median_ms'] == 2
    assert row['t']['process_turns'] == [2, 3] and row['t']['between_processes'] == 1
    assert merged['environment']['processes'] == 2
    assert merged['environment']['machine']['busy'] == 'others'


def test_energy_survives_the_end_of_the_counter(tmp_path):
    package = tmp_path / 'sys/class/powercap/intel-rapl:0'
    package.mkdir(parents=True)
    (package / 'max_energy_range_uj').write_text('9999999\n')
    (package / 'energy_uj').write_text('9000000\n')
    meter = energy.energy_meter(root=tmp_path)
    (package / 'energy_uj').write_text('2000000\n')
    assert meter() == pytest.approx(3.0)
    assert energy.energy_meter(root=tmp_path / 'nowhere') is None


def test_evictor_is_larger_than_the_last_cache(tmp_path):
    size = tmp_path / 'sys/devices/system/cpu/cpu0/cache/index3/size'
    size.parent.mkdir(parents=True)
    size.write_text('64K\n')
    assert memory.cache_evictor(tmp_path)().nbytes == 2 * 64 * 1024


def run_tool(*arguments):
    return subprocess.run(
        [sys.executable, TOOLS / 'latency.py', *map(str, arguments)], capture_output=True,
        text=True, cwd=ROOT, env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )  # fmt: skip


def test_tool_repeats_in_processes(folder, tmp_path):
    out = tmp_path / 'a.json'
    done = run_tool(folder / 'conv.onnx', '--turns', 2, '--processes', 2, '--size', 32, 32,
                    '--out', out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'variance between processes' in done.stdout
    found = json.loads(out.read_text())
    assert found['environment']['processes'] == 2 and found['rows'][0]['timing']['n'] == 4


@pytest.mark.parametrize(
    'target, named',
    [('nosuch.onnx', 'nosuch.onnx: no such file'), ('nosuch', 'no .onnx file and no config'),
     ('configs/_base_/runtime.py', 'has no model'), ('mmdet::nosuch.py', 'nosuch')],
)  # fmt: skip
def test_unknown_models_are_named(folder, target, named, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises((ValueError, OSError), match=named):
        run_models([target], SMALL, ModelOptions())


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(FileNotFoundError, match='no image at'):
        Pictures.of_folder(tmp_path)

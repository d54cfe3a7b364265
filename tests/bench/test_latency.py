import json
import subprocess
import sys

import pytest
import torch
from paths import ROOT
from tools_here import run_here
from torch import nn
from versions import needs_exporter

from shufflenet_det.backbones.peers import NETWORKS
from shufflenet_det.bench import detector_latency, forms, latency
from shufflenet_det.bench.complexity import network_complexity
from shufflenet_det.bench.detector_latency import REST, DetectorRun, run_detectors
from shufflenet_det.bench.forms import FORMS, OUTSIDE_TORCH, fold_batch_norms, prepare
from shufflenet_det.bench.latency import Conditions, TorchvisionTrunk, run_latency
from shufflenet_det.bench.paper import printed as paper

COMPILED = tuple(form for form in FORMS if form.endswith('compile'))
EXACT = [form for form in FORMS if not form.endswith(('compile', 'cuda-graph'))]
SMALL_CONFIG = """
_base_ = ['{root}/configs/_base_/lighthead_s.py']
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, stem=[(8, 2)], stages=[(16, 2), (32, 2), (64, 2)], last_conv=64
        )
    ),
    test_cfg=dict(rpn=dict(nms_pre=50, max_per_img=20)),
)
"""


@pytest.fixture(scope='module')
def small_config(tmp_path_factory):
    path = tmp_path_factory.mktemp('config') / 'small.py'
    path.write_text(SMALL_CONFIG.format(root=ROOT))
    return path


def with_statistics(model):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


@pytest.mark.parametrize('form', EXACT)
@torch.inference_mode()
def test_forms_give_the_same_values(form):
    if form in OUTSIDE_TORCH:
        pytest.importorskip('onnxruntime', reason='needs the extra "deploy"')
    model = with_statistics(latency.build('snv2_0.5x'))
    x = torch.randn(1, 3, 64, 64)
    expected = model(x)
    found = prepare('snv2_0.5x', form, model, x)()
    for ours, theirs in zip(expected, found, strict=True):
        torch.testing.assert_close(torch.as_tensor(theirs), ours, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('name', ['snv1_0.5x', 'mobilenetv2_0.15', 'densenet_0.5x', 'resnet50'])
def test_batch_norms_of_every_family_fold(name):
    model = with_statistics(latency.build(name))
    x = torch.randn(1, 3, 64, 64)
    folded = fold_batch_norms(model, x)
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) for net in (model, folded)]
    assert norms[1] < norms[0] / 1.5
    for before, after in zip(model(x), folded(x), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-3, atol=5e-3)


def test_a_conv_that_something_else_reads_is_not_folded_silently():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

        def forward(self, x):
            y = self.conv(x)
            return self.norm(y) + y

    model = with_statistics(Net()).eval()
    with pytest.raises(ValueError, match='changes the output'):
        fold_batch_norms(model, torch.randn(1, 3, 8, 8))


def test_torchvision_trunk_equals_ours():
    model = with_statistics(latency.build('snv2_1.0x'))
    x = torch.randn(1, 3, 64, 64)
    trunk = TorchvisionTrunk('snv2_1.0x', model).eval()
    for ours, theirs in zip(model(x), trunk(x), strict=True):
        torch.testing.assert_close(theirs, ours)


def test_rows_of_a_run():
    names, size = ['snv2_0.5x', 'mobilenetv2_0.15'], (32, 64)
    conditions = Conditions(size, turns=2)
    rows, again = run_latency(names, ['eager', 'deploy'], conditions, against_torchvision=True)
    found = [(row.arch, row.form) for row in rows]
    assert found == [
        ('snv2_0.5x', 'eager'), ('snv2_0.5x', 'deploy'), ('snv2_0.5x', 'torchvision'),
        ('mobilenetv2_0.15', 'eager'),
    ]  # fmt: skip
    assert again.n == rows[0].timing.n
    for row in rows:
        assert row.size == size and row.macs == latency.cost(row.arch, size).macs
        assert row.timing.min_ms <= row.timing.median_ms <= row.timing.max_ms
        assert row.timing.peak_memory_bytes > 0


@pytest.mark.parametrize('name', ['snv2_1.0x', 'snv2star_1.0x', 'snv2_2.0x_se', 'densenet_0.5x'])
def test_macs_are_those_of_the_complexity_tool(name):
    counted, _ = network_complexity(name, (64, 64))
    assert latency.cost(name, (64, 64), classifies=True) == counted.total


def test_picking():
    assert latency.pick(['snv2_1.0x', 'snv1_*'])[0] == 'snv2_1.0x'
    assert set(latency.pick(['all'])) == set(NETWORKS)
    assert 'resnet50' not in latency.pick(['table8'])
    with pytest.raises(ValueError, match="'nosuch' is not known"):
        latency.pick(['nosuch'])


def test_papers_speeds_are_found():
    assert all(paper.paper_speed(NETWORKS[n], (NETWORKS[n].size,) * 2, True)
               for n in latency.pick(['table8']))  # fmt: skip
    assert paper.paper_speed(NETWORKS['xception_1.5x'], (480, 640), False) == (244, 1.7)
    assert paper.paper_speed(NETWORKS['xception_1.5x'], (64, 64), False) is None
    assert paper.paper_speed(NETWORKS['snv2_2.0x_se'], (480, 640), False) is None  # Table 8 only


def test_parts_of_a_detector_add_up(small_config):
    x = torch.randn(1, 3, 64, 64)
    (row,), again = run_detectors([DetectorRun(small_config, 'eager', x)], turns=3)
    names = {part.name for part in row.parts}
    assert names >= {'backbone', 'RPN', 'proposals', 'thin map', 'RoI pooling', REST}
    for turn, total in enumerate(row.total.turns_ms):
        assert sum(part.turns_ms[turn] for part in row.parts) == pytest.approx(total, abs=1e-3)
    assert row.without_post.median_ms < row.total.median_ms
    assert again.n == row.total.n and again.turns_ms != row.total.turns_ms


def test_clocks_leave_the_detector_as_it_was(small_config):
    run = DetectorRun(small_config, 'eager', torch.randn(1, 3, 64, 64))
    run.turn()
    assert 'forward' not in vars(run.model.backbone)


@pytest.mark.parametrize(
    'form',
    [
        'folded-channels-last',
        'deploy',
        pytest.param('deploy-onnxruntime', marks=needs_exporter),
        pytest.param('deploy-onnxruntime-int8', marks=needs_exporter),
    ],
)
def test_forms_of_a_detector_run(small_config, form):
    if form in OUTSIDE_TORCH:
        pytest.importorskip('onnxruntime', reason='needs the extra "deploy"')
    run = DetectorRun(small_config, form, torch.randn(1, 3, 64, 64))
    assert run() == run.detections


BAD = [
    ('--arch nosuch', 'nosuch'), ('--arch snv2_0.5x --size 8 8', '8x8'),
    ('--arch snv2_0.5x --device cuda:99', 'cuda:99'), ('--config nosuch.py', 'nosuch.py'),
    ('--config configs/_base_/coco.py', 'does not build'),
    ('--arch resnet50 --forms deploy', 'add eager'),
]  # fmt: skip


@pytest.mark.parametrize('arguments, named', BAD)
def test_bad_input_is_one_line_and_exit_code_2(arguments, named, monkeypatch, capsys):
    with pytest.raises(SystemExit, match='2'):
        run_here(monkeypatch, 'latency.py', *arguments.split())
    message = capsys.readouterr().err
    assert named in message and message.count('\n') == 1


def test_tool_writes_result_and_chart(tmp_path):
    out, chart = tmp_path / 'a.json', tmp_path / 'a.png'
    done = subprocess.run(
        [sys.executable, 'tools/latency.py', '--arch', 'snv2_0.5x', 'snv1_0.5x', '--size', '64',
         '64', '--turns', '2', '--threads', '1', '--out', str(out), '--plot', str(chart)],
        cwd=ROOT, text=True, capture_output=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '| snv1_0.5x | eager | 64x64 |' in done.stdout
    environment = json.loads(out.read_text())['environment']
    assert (environment['threads'], environment['wait']) == (1, 'active')
    assert environment['machine']['end']['own_s'] > environment['machine']['start']['own_s']
    assert chart.stat().st_size


def test_forms_of_shufflenet_v2_are_left_out_for_other_detectors():
    assert forms.forms_for('x', dict(type='ResNet'), ['eager', 'deploy']) == ['eager']
    assert forms.forms_for('x', dict(type='SEShuffleNetV2'), ['deploy']) == ['deploy']


def test_unknown_form():
    with pytest.raises(ValueError, match="'nosuch' is not known; allowed: .*eager"):
        prepare('x', 'nosuch', nn.Identity(), torch.zeros(1))


def test_input_that_a_network_cannot_take_is_named():
    with pytest.raises(ValueError, match=r'net in form eager with input \(1, 2, 8, 8\)'):
        forms.prepare('net', 'eager', nn.Conv2d(3, 4, 1), torch.zeros(1, 2, 8, 8))


def test_an_option_of_one_config_stands_behind_it(monkeypatch):
    monkeypatch.setattr(detector_latency, 'DetectorRun', lambda *args: args)
    target = f'{ROOT}/configs/lighthead_snv2.py+atrous=a.pth'
    ((config, form, _, checkpoint, options, _),) = detector_latency.prepare_detector(
        target, ['eager'], None, ['ema']
    )
    assert (config, checkpoint) == (f'{ROOT}/configs/lighthead_snv2.py', 'a.pth')
    assert (form, options) == ('eager', ('ema', 'atrous'))

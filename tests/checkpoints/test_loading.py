import importlib.util
from hashlib import sha256

import pytest
import torch
from mmengine.model import BaseModule
from paths import ROOT
from torch import nn
from torchvision import models

from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.checkpoints import (
    LoadReport,
    PretrainedMixin,
    convert,
    load_backbone,
    load_pretrained,
    read_checkpoint,
    to_torchvision,
)
from shufflenet_det.checkpoints.naming import TARGETS

WIDTHS = {'0.5x': 'x0_5', '1.0x': 'x1_0', '1.5x': 'x1_5', '2.0x': 'x2_0'}
TOOL = ROOT / 'tools' / 'convert_checkpoint.py'


def _state(width='0.5x'):
    torch.manual_seed(0)
    return models.get_model(f'shufflenet_v2_{WIDTHS[width]}', weights=None).state_dict()


def _counted(state):
    return [key for key in state if not key.endswith('num_batches_tracked')]


@pytest.mark.parametrize('layout', TARGETS)
@pytest.mark.parametrize('width', WIDTHS)
def test_every_layout_loads_into_the_backbone(width, layout):
    state = _state(width)
    backbone = ShuffleNetV2(arch=width, out_indices=(1, 2, 3, 4))
    report = load_backbone(backbone, convert(state, layout), strict=True)
    assert (report.layout, report.missing) == (layout, ())
    assert report.loaded == report.total == len(_counted(backbone.state_dict()))
    assert all(torch.equal(v, state[k]) for k, v in backbone.state_dict().items())


def test_report_says_what_was_loaded_and_what_was_left_out():
    detector = {f'backbone.{key}': value for key, value in _state().items()}
    detector |= {'neck.conv.weight': torch.ones(1), 'neck.conv.bias': torch.ones(1)}
    report = load_backbone(ShuffleNetV2(arch='0.5x'), {'state_dict': detector}, 'net.pth')
    assert str(report).split('\n') == [
        'loaded 275 of 275 tensors from net.pth (torchvision)',
        '  left out state_dict.neck: 2 tensors, not part of a backbone',
        '  left out conv5: 5 tensors, not in this backbone',
        '  left out fc: 2 tensors, not in this backbone',
    ]


def test_report_is_logged(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'shufflenet_det.checkpoints.loading.print_log', lambda text, logger: lines.append(text)
    )
    report = load_backbone(ShuffleNetV2(arch='0.5x'), _state())
    assert lines == [str(report)]


def test_missing_step_counters_are_fine():
    state = _state()
    state = {key: state[key] for key in _counted(state)}
    report = load_backbone(ShuffleNetV2(arch='0.5x'), state, strict=True)
    assert report.loaded == report.total


def test_missing_tensors_are_reported_and_kept():
    backbone = ShuffleNetV2(arch='0.5x', large_receptive_field=True)
    before = backbone.stage2[0].pre[0].weight.clone()
    report = load_backbone(backbone, _state())
    assert report.total - report.loaded == len(report.missing) == 16 * 5
    assert all('.pre.' in key for key in report.missing)
    assert 'not in the file, kept as initialised: 80 tensors' in str(report)
    assert torch.equal(backbone.stage2[0].pre[0].weight, before)


def test_strict_allows_no_missing_tensor():
    with pytest.raises(ValueError, match=r'net\.pth: 275 of 355 .*all are needed.*pre'):
        load_backbone(
            ShuffleNetV2(arch='0.5x', large_receptive_field=True), _state(), 'net.pth', strict=True
        )


def test_fewer_than_half_of_the_tensors_is_an_error():
    few = {key: value for key, value in _state().items() if key[:6] in ('conv1.', 'stage2')}
    backbone = ShuffleNetV2(arch='0.5x')
    before = backbone.conv1[0].weight.clone()
    with pytest.raises(ValueError, match=r'net\.pth: 75 of 275 .*at least half are needed'):
        load_backbone(backbone, few, 'net.pth')
    assert torch.equal(backbone.conv1[0].weight, before)


@pytest.mark.parametrize(('theirs', 'ours'), [('1.0x', '0.5x'), ('0.5x', '2.0x')])
def test_other_width_is_an_error_that_names_both_archs(theirs, ours):
    with pytest.raises(ValueError) as error:
        load_backbone(ShuffleNetV2(arch=ours), _state(theirs), 'net.pth')
    message = str(error.value)
    assert message.startswith('net.pth: ') and 'stage2.0.branch1.2.weight is (' in message
    assert f"the file holds arch='{theirs}', the backbone is arch='{ours}'" in message
    assert f"build it with arch='{theirs}'" in message


def test_unknown_layout_names_the_file():
    with pytest.raises(ValueError, match=r'net\.pth: no ShuffleNet V2 backbone found.*layer1'):
        load_backbone(ShuffleNetV2(arch='0.5x'), {'layer1.0.weight': torch.ones(1)}, 'net.pth')


def test_half_precision_file_loads_into_a_float_backbone():
    state = {key: value.half() if value.is_floating_point() else value
             for key, value in _state().items()}  # fmt: skip
    backbone = ShuffleNetV2(arch='0.5x')
    load_backbone(backbone, state)
    assert backbone.conv1[0].weight.dtype == torch.float32
    assert torch.equal(backbone.conv1[0].weight, state['conv1.0.weight'].float())


def test_note_of_the_layout_is_reported():
    nanodet = {f'model.backbone.{key}': value for key, value in _state().items()}
    nanodet |= {'model.head.gfl_cls.0.weight': torch.ones(1)}
    report = load_backbone(ShuffleNetV2(arch='0.5x'), {'state_dict': nanodet})
    assert (report.layout, report.prefix) == ('nanodet', 'state_dict.model.backbone.')
    assert "act_cfg=dict(type='LeakyReLU', negative_slope=0.1)" in str(report)


@pytest.mark.parametrize('arch', ['50', '164'])
def test_own_large_networks_load_from_a_detector(arch):
    torch.manual_seed(0)
    saved, backbone = (ShuffleNetV2(arch=arch, out_indices=(0, 1)) for _ in range(2))
    state = {f'backbone.{key}': value for key, value in saved.state_dict().items()}
    report = load_backbone(backbone, {'state_dict': state}, strict=True)
    assert report.layout == 'own'
    assert all(torch.equal(v, saved.state_dict()[k]) for k, v in backbone.state_dict().items())


def test_backbone_of_another_family_loads_its_own_file():
    saved, module = (nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)) for _ in range(2))
    state = {f'backbone.{key}': value for key, value in saved.state_dict().items()}
    report = load_backbone(module, state | {'head.weight': torch.ones(1)})
    assert (report.layout, report.loaded, report.total) == ('own', 6, 6)
    assert [entry.where for entry in report.left_out] == ['head']
    assert torch.equal(module[0].weight, saved[0].weight)


@pytest.mark.parametrize('layout', TARGETS)
def test_pretrained_init_cfg_loads_every_layout(tmp_path, layout):
    state, path = _state(), tmp_path / 'net.pth'
    torch.save({'state_dict': convert(state, layout)}, path)
    backbone = ShuffleNetV2(arch='0.5x', init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    backbone.init_weights()
    assert all(torch.equal(v, state[k]) for k, v in backbone.state_dict().items())
    assert backbone.init_cfg['type'] == 'Pretrained'


def test_pretrained_comes_after_the_other_initialisers(tmp_path):
    class Net(PretrainedMixin, BaseModule):
        def __init__(self, init_cfg):
            super().__init__(init_cfg)
            self.conv, self.extra = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 1, 1, bias=False)

    torch.save({'conv.weight': torch.ones(4, 3, 1, 1), 'conv.bias': torch.ones(4)}, tmp_path / 'n')
    net = Net([
        dict(type='Pretrained', checkpoint=str(tmp_path / 'n')),
        dict(type='Constant', layer='Conv2d', val=5, bias=5),
    ])  # fmt: skip
    net.init_weights()
    assert net.conv.bias.unique() == 1 and net.extra.weight.unique() == 5


def test_pretrained_prefix_chooses_the_backbone(tmp_path):
    state = _state()
    both = {f'teacher.backbone.{key}': torch.zeros_like(value) for key, value in state.items()}
    both |= {f'student.backbone.{key}': value for key, value in state.items()}
    torch.save(both, tmp_path / 'net.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'net.pth'), prefix='student.')
    backbone = ShuffleNetV2(arch='0.5x', init_cfg=init_cfg)
    backbone.init_weights()
    assert torch.equal(backbone.conv1[0].weight, state['conv1.0.weight'])


def test_pretrained_file_that_is_missing_stops_the_initialisation(tmp_path):
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'none.pth'))
    with pytest.raises(FileNotFoundError, match=r'none\.pth: no such file'):
        ShuffleNetV2(arch='0.5x', init_cfg=init_cfg).init_weights()


def test_trained_nanodet_backbone_loads_with_leaky_relu(test_data):
    path = test_data / 'nanodet_m_x1.0_backbone' / 'backbone_torchvision_names.pth'
    act_cfg = dict(type='LeakyReLU', negative_slope=0.1)
    backbone = ShuffleNetV2(arch='1.0x', out_indices=(1, 2, 3), act_cfg=act_cfg).eval()
    report = load_pretrained(backbone, str(path), strict=True)
    assert isinstance(report, LoadReport) and report.loaded == report.total
    outs = backbone(torch.rand(1, 3, 64, 64))
    assert all(out.isfinite().all() and out.min() < 0 for out in outs)


def test_trained_fastestdet_backbone_loads_in_one_line(test_data):
    path = test_data / 'shufflenetv2_x0.5_fastestdet' / 'shufflenetv2.pth'
    backbone = ShuffleNetV2(arch='0.5x')
    report = load_pretrained(backbone, str(path), strict=True)
    assert (report.layout, report.loaded, report.left_out) == ('fastestdet', 275, ())


def _tool():
    spec = importlib.util.spec_from_file_location('convert_checkpoint', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
@pytest.mark.parametrize('layout', TARGETS)
def test_tool_writes_a_clean_file_and_its_hash(tmp_path, capsys, layout, suffix):
    state, source, out = _state(), tmp_path / 'in.pth', tmp_path / f'out{suffix}'
    torch.save({'model': {f'module.{key}': value for key, value in state.items()}}, source)
    _tool()([str(source), str(out), '--to', layout])
    found, name = to_torchvision(read_checkpoint(out))
    assert name == layout and all(torch.equal(found[key], state[key]) for key in state)
    printed = capsys.readouterr().out
    assert f'torchvision -> {layout}' in printed and 'tensors  338' in printed
    assert sha256(out.read_bytes()).hexdigest() in printed


def test_tool_ends_with_the_cause_and_writes_nothing(tmp_path):
    (tmp_path / 'in.pth').write_text('<html>')
    with pytest.raises(ValueError, match=r'in\.pth: .*HTML page'):
        _tool()([str(tmp_path / 'in.pth'), str(tmp_path / 'out.pth')])
    assert not (tmp_path / 'out.pth').exists()
